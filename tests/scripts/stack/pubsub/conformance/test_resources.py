"""Topics, subscriptions and snapshots as resources: create, get, list, update, delete, and the refusals."""

import uuid

import pytest
from google.api_core import exceptions
from google.protobuf import duration_pb2, field_mask_pb2

SECONDS = duration_pb2.Duration


def mask(*paths):
    return field_mask_pb2.FieldMask(paths=paths)


@pytest.mark.parametrize("short", ["ab", "goog-topic", "1st", "-ab", "with space", "a" * 256, "ein-ä"])
def test_a_topic_id_out_of_googles_rules_is_an_invalid_argument(cloud, project, short):
    with pytest.raises(exceptions.InvalidArgument):
        cloud.publisher.create_topic(name=f"{project}/topics/{short}")


@pytest.mark.parametrize("short", ["abc", "A" * 255, "a-b_c.d~e+f%g0"])
def test_a_topic_id_within_googles_rules_is_taken(cloud, project, short):
    name = f"{project}/topics/{short}"
    assert cloud.publisher.create_topic(name=name).name == name
    cloud.publisher.delete_topic(topic=name)


def test_a_topic_can_be_created_once(cloud):
    topic = cloud.topic()
    with pytest.raises(exceptions.AlreadyExists):
        cloud.publisher.create_topic(name=topic)


def test_a_created_topic_is_got_with_its_labels(cloud):
    topic = cloud.topic(labels={"domain": "app"})
    assert dict(cloud.publisher.get_topic(topic=topic).labels) == {"domain": "app"}


@pytest.mark.parametrize("call", ["get_topic", "delete_topic"])
def test_a_topic_that_is_not_there_is_not_found(cloud, project, call):
    with pytest.raises(exceptions.NotFound):
        getattr(cloud.publisher, call)(topic=f"{project}/topics/nothing-here")


def test_topics_are_listed_page_by_page(cloud):
    project = f"projects/p{uuid.uuid4().hex[:12]}"
    names = [f"{project}/topics/topic-{letter}" for letter in "abcde"]
    for name in names:
        cloud.publisher.create_topic(name=name)
    first = next(cloud.publisher.list_topics(request={"project": project, "page_size": 2}).pages)
    assert [topic.name for topic in first.topics] == names[:2]
    assert first.next_page_token
    assert [topic.name for topic in cloud.publisher.list_topics(request={"project": project, "page_size": 2})] == names


@pytest.mark.google_differs("the emulator cannot update labels of a topic")
def test_a_topics_labels_are_updated_by_the_mask(cloud):
    topic = cloud.topic(labels={"a": "1"})
    request = {"topic": {"name": topic, "labels": {"b": "2"}}, "update_mask": mask("labels")}
    assert dict(cloud.publisher.update_topic(request=request).labels) == {"b": "2"}
    assert dict(cloud.publisher.get_topic(topic=topic).labels) == {"b": "2"}


@pytest.mark.parametrize("paths", [(), ("name",), ("nonsense",)])
def test_a_topic_update_with_a_bad_mask_is_refused(cloud, paths):
    topic = cloud.topic()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.publisher.update_topic(request={"topic": {"name": topic}, "update_mask": mask(*paths)})


def test_a_subscription_gets_googles_defaults(cloud):
    topic, name = cloud.both()
    subscription = cloud.subscriber.get_subscription(subscription=name)
    assert subscription.topic == topic
    assert subscription.ack_deadline_seconds == 10
    assert subscription.message_retention_duration.total_seconds() == 7 * 86400


def test_a_subscription_needs_its_topic(cloud, project):
    with pytest.raises(exceptions.NotFound):
        cloud.subscription(f"{project}/topics/nothing-here")


def test_a_subscription_can_be_created_once(cloud):
    topic, name = cloud.both()
    with pytest.raises(exceptions.AlreadyExists):
        cloud.subscriber.create_subscription(name=name, topic=topic)


@pytest.mark.parametrize(
    "fields",
    [
        {"ack_deadline_seconds": 601},
        {"ack_deadline_seconds": -1},
        {"message_retention_duration": SECONDS(seconds=599)},
        {"message_retention_duration": SECONDS(seconds=31 * 86400 + 1)},
        {"retry_policy": {"minimum_backoff": SECONDS(seconds=601)}},
        {"retry_policy": {"minimum_backoff": SECONDS(seconds=20), "maximum_backoff": SECONDS(seconds=10)}},
    ],
    ids=str,
)
def test_a_setting_out_of_bounds_is_an_invalid_argument(cloud, fields):
    topic = cloud.topic()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.subscription(topic, **fields)


@pytest.mark.google_differs("the emulator allows deadlines under 10 seconds")
def test_an_ack_deadline_under_ten_seconds_is_refused(cloud):
    topic = cloud.topic()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.subscription(topic, ack_deadline_seconds=5)


@pytest.mark.google_differs("the emulator does not check the expiration policy")
def test_an_expiration_under_a_day_is_refused(cloud):
    topic = cloud.topic()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.subscription(topic, expiration_policy={"ttl": SECONDS(seconds=3600)})


@pytest.mark.parametrize("attempts", [4, 101])
def test_delivery_attempts_out_of_bounds_are_refused(cloud, attempts):
    topic = cloud.topic()
    with pytest.raises(exceptions.OutOfRange):
        cloud.subscription(topic, dead_letter_policy={"dead_letter_topic": topic, "max_delivery_attempts": attempts})


def test_a_dead_letter_topic_has_to_exist(cloud, project):
    topic = cloud.topic()
    with pytest.raises(exceptions.NotFound):
        cloud.subscription(topic, dead_letter_policy={"dead_letter_topic": f"{project}/topics/nothing-here"})


def test_a_subscription_is_updated_by_the_mask_alone(cloud):
    _, name = cloud.both(labels={"a": "1"})
    request = {"subscription": {"name": name, "ack_deadline_seconds": 33}, "update_mask": mask("ack_deadline_seconds")}
    updated = cloud.subscriber.update_subscription(request=request)
    assert (updated.ack_deadline_seconds, dict(updated.labels)) == (33, {"a": "1"})


@pytest.mark.parametrize("path", ["topic", "name", "enable_message_ordering", "filter", "nonsense", None])
def test_a_subscription_update_with_a_bad_mask_is_refused(cloud, path):
    _, name = cloud.both()
    request = {"subscription": {"name": name}, "update_mask": mask(*[path] if path else [])}
    with pytest.raises(exceptions.InvalidArgument):
        cloud.subscriber.update_subscription(request=request)


def test_a_topics_subscriptions_are_listed(cloud):
    topic = cloud.topic()
    names = sorted(cloud.subscription(topic) for _ in range(3))
    assert list(cloud.publisher.list_topic_subscriptions(topic=topic)) == names


def test_subscriptions_are_listed_by_project(cloud):
    project = f"projects/p{uuid.uuid4().hex[:12]}"
    topic = cloud.topic()
    names = [f"{project}/subscriptions/subscription-{letter}" for letter in "abc"]
    for name in names:
        cloud.subscriber.create_subscription(name=name, topic=topic)
    listed = cloud.subscriber.list_subscriptions(request={"project": project, "page_size": 2})
    assert [subscription.name for subscription in listed] == names


@pytest.mark.parametrize("call", ["get_subscription", "delete_subscription"])
def test_a_subscription_that_is_not_there_is_not_found(cloud, project, call):
    with pytest.raises(exceptions.NotFound):
        getattr(cloud.subscriber, call)(subscription=f"{project}/subscriptions/nothing-here")


def test_a_subscription_outlives_its_topic(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"left")
    cloud.publisher.delete_topic(topic=topic)
    assert cloud.subscriber.get_subscription(subscription=name).topic == "_deleted-topic_"
    assert cloud.pull_data(name) == [b"left"]


def test_a_topic_made_again_is_another_one(cloud):
    topic, name = cloud.both()
    cloud.publisher.delete_topic(topic=topic)
    cloud.publisher.create_topic(name=topic)
    cloud.publish(topic, b"not for it")
    assert cloud.pull_data(name, seconds=0.2) == []


@pytest.mark.google_differs("the emulator has no DetachSubscription")
def test_a_detached_subscription_delivers_nothing(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"gone")
    cloud.publisher.detach_subscription(request={"subscription": name})
    assert cloud.subscriber.get_subscription(subscription=name).detached
    with pytest.raises(exceptions.FailedPrecondition):
        cloud.subscriber.pull(subscription=name, max_messages=1)
    assert list(cloud.publisher.list_topic_subscriptions(topic=topic)) == []


def test_a_snapshot_is_made_listed_and_deleted(cloud, project):
    topic, name = cloud.both()
    snapshot = f"{project}/snapshots/snapshot-{uuid.uuid4().hex[:8]}"
    made = cloud.subscriber.create_snapshot(name=snapshot, subscription=name)
    assert (made.name, made.topic) == (snapshot, topic)
    assert cloud.subscriber.get_snapshot(snapshot=snapshot) == made
    assert snapshot in [each.name for each in cloud.subscriber.list_snapshots(project=project)]
    with pytest.raises(exceptions.AlreadyExists):
        cloud.subscriber.create_snapshot(name=snapshot, subscription=name)
    cloud.subscriber.delete_snapshot(snapshot=snapshot)
    with pytest.raises(exceptions.NotFound):
        cloud.subscriber.get_snapshot(snapshot=snapshot)


@pytest.mark.google_differs("the emulator has no UpdateSnapshot")
def test_a_snapshots_labels_are_updated(cloud, project):
    _, name = cloud.both()
    snapshot = f"{project}/snapshots/snapshot-{uuid.uuid4().hex[:8]}"
    cloud.subscriber.create_snapshot(name=snapshot, subscription=name)
    request = {"snapshot": {"name": snapshot, "labels": {"a": "1"}}, "update_mask": mask("labels")}
    assert dict(cloud.subscriber.update_snapshot(request=request).labels) == {"a": "1"}


def test_iam_policies_are_unimplemented(cloud):
    topic = cloud.topic()
    with pytest.raises(exceptions.MethodNotImplemented):
        cloud.publisher.get_iam_policy(request={"resource": topic})
