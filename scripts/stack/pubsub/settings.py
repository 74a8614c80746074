"""What topics and subscriptions may be set to: limits, defaults, and which fields an update may change.

Sources: the field comments of google/pubsub/v1/pubsub.proto, and Google's emulator for the status codes.
Push, BigQuery, Cloud Storage and Bigtable delivery, ingestion and message transforms are refused as UNIMPLEMENTED.
"""

from collections.abc import Collection
from typing import Any

from google.pubsub_v1 import types
from grpc import StatusCode

from .filter import FilterError, Predicate, parse
from .lease import Rules
from .message import NANOS
from .refusal import Refusal, invalid

Topic = types.Topic.pb()
Subscription = types.Subscription.pb()
Snapshot = types.Snapshot.pb()

DAY = 86_400
_RETENTION = (600, 31 * DAY)
_BACKOFF = (0, 600)
_ATTEMPTS = (5, 100)
_ACK_DEADLINE = (10, 600)

TOPIC_MUTABLE = frozenset(
    {"labels", "message_storage_policy", "kms_key_name", "schema_settings", "message_retention_duration"}
)
SUBSCRIPTION_MUTABLE = frozenset(
    {
        "ack_deadline_seconds", "retain_acked_messages", "message_retention_duration", "labels", "expiration_policy",
        "dead_letter_policy", "retry_policy", "enable_exactly_once_delivery", "push_config",
    }
)  # fmt: skip
SNAPSHOT_MUTABLE = frozenset({"labels", "expire_time"})


def nanos(duration: Any) -> int:
    """A Duration or Timestamp in nanoseconds."""
    return int(duration.seconds) * NANOS + int(duration.nanos)


def seconds(duration: Any) -> float:
    return nanos(duration) / NANOS


def topic(proto: Any) -> Any:
    """A checked copy of a topic, output-only fields dropped. Raises Refusal."""
    _unimplemented(proto, "ingestion_data_source_settings", "message_transforms")
    made = Topic()
    made.CopyFrom(proto)
    made.state = types.Topic.State.ACTIVE
    made.satisfies_pzs = False
    if made.HasField("message_retention_duration"):
        _within(made.message_retention_duration, "message_retention_duration", *_RETENTION)
    if made.HasField("schema_settings") and made.schema_settings.encoding not in (1, 2):
        raise invalid("Invalid schema encoding provided: it has to be JSON or BINARY.")
    return made


def subscription(proto: Any) -> Any:
    """A checked copy of a subscription with Google's defaults filled in. Raises Refusal."""
    _unimplemented(proto, "bigquery_config", "cloud_storage_config", "bigtable_config", "message_transforms")
    if proto.push_config.push_endpoint:
        raise Refusal(
            StatusCode.UNIMPLEMENTED, "This server does not push: leave push_config.push_endpoint empty and pull."
        )
    made = Subscription()
    made.CopyFrom(proto)
    made.push_config.SetInParent()
    made.state = types.Subscription.State.ACTIVE
    made.ClearField("analytics_hub_subscription_info")
    made.ack_deadline_seconds = made.ack_deadline_seconds or 10
    if not _ACK_DEADLINE[0] <= made.ack_deadline_seconds <= _ACK_DEADLINE[1]:
        raise invalid("ack_deadline_seconds out of bounds: it has to be 10 to 600.")
    if not made.HasField("message_retention_duration"):
        made.message_retention_duration.seconds = 7 * DAY
    _within(made.message_retention_duration, "message_retention_duration", *_RETENTION)
    if not made.HasField("expiration_policy"):
        made.expiration_policy.ttl.seconds = 31 * DAY
    elif made.expiration_policy.HasField("ttl") and made.expiration_policy.ttl.seconds < DAY:
        raise invalid("expiration_policy.ttl out of bounds: it has to be at least 1 day.")
    if made.HasField("dead_letter_policy"):
        policy = made.dead_letter_policy
        policy.max_delivery_attempts = policy.max_delivery_attempts or _ATTEMPTS[0]
        if not _ATTEMPTS[0] <= policy.max_delivery_attempts <= _ATTEMPTS[1]:
            raise Refusal(
                StatusCode.OUT_OF_RANGE,
                f"max_delivery_attempts is {policy.max_delivery_attempts}; it has to be 5 to 100.",
            )
    if made.HasField("retry_policy"):
        retry = made.retry_policy
        if not retry.HasField("minimum_backoff"):
            retry.minimum_backoff.seconds = 10
        if not retry.HasField("maximum_backoff"):
            retry.maximum_backoff.seconds = 600
        _within(retry.minimum_backoff, "retry_policy.minimum_backoff", *_BACKOFF)
        _within(retry.maximum_backoff, "retry_policy.maximum_backoff", *_BACKOFF)
        if nanos(retry.minimum_backoff) > nanos(retry.maximum_backoff):
            raise invalid("retry_policy.maximum_backoff is smaller than minimum_backoff.")
    passes(made)
    return made


def passes(proto: Any) -> Predicate | None:
    """The filter of a subscription, None when it lets everything pass. Raises Refusal INVALID_ARGUMENT."""
    if not proto.filter:
        return None
    try:
        return parse(proto.filter)
    except FilterError as error:
        raise invalid(f"Invalid filter: {error}.") from error


def rules(proto: Any) -> Rules:
    """How a checked subscription delivers."""
    retry = proto.retry_policy
    return Rules(
        ack_deadline=float(proto.ack_deadline_seconds),
        ordered=proto.enable_message_ordering,
        exactly_once=proto.enable_exactly_once_delivery,
        max_attempts=proto.dead_letter_policy.max_delivery_attempts if proto.HasField("dead_letter_policy") else 0,
        backoff=(seconds(retry.minimum_backoff), seconds(retry.maximum_backoff))
        if proto.HasField("retry_policy")
        else None,
    )


def merge(old: Any, new: Any, mask: Any, mutable: Collection[str]) -> Any:
    """A copy of `old` with the mask's fields taken from `new`; a field that `new` does not set is cleared.

    Raises Refusal INVALID_ARGUMENT: an empty mask, an unknown field, a field that cannot be changed.
    """
    kind = old.DESCRIPTOR.name
    if not mask.paths:
        raise invalid(f"The update_mask in the Update{kind}Request must be set, with a non-empty list of paths.")
    for path in mask.paths:
        top = path.partition(".")[0]
        if top not in old.DESCRIPTOR.fields_by_name or not mask.IsValidForDescriptor(old.DESCRIPTOR):
            raise invalid(f"Invalid update_mask: {path} is not a known {kind} field. Write paths like push_config.")
        if top not in mutable:
            raise invalid(f"Invalid update_mask: the {top} field of a {kind} cannot be changed.")
    merged = type(old)()
    merged.CopyFrom(old)
    mask.MergeMessage(new, merged, replace_message_field=True, replace_repeated_field=True)
    return merged


def _within(duration: Any, name: str, low: int, high: int) -> None:
    if not low * NANOS <= nanos(duration) <= high * NANOS:
        raise invalid(f"{name} out of bounds: it has to be {low} to {high} seconds.")


def _unimplemented(proto: Any, *fields: str) -> None:
    for field, _ in proto.ListFields():
        if field.name in fields:
            raise Refusal(StatusCode.UNIMPLEMENTED, f"This server does not have {field.name}: leave it empty.")
