"""`noren dlq list`: which dead letters there are."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.cli.dlq.options import filters, home_option, running, wanted

if TYPE_CHECKING:
    from dataflow.dead_letters.table import Envelope


@click.command("list", epilog="Example: noren dlq list --reason wrong_type --since 2h")
@filters
@click.option("--replayed/--not-replayed", default=None, help="Only those that were published again, or were not.")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="List at most so many, newest first."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@home_option
def list_command(
    streams: tuple[str, ...],
    reasons: tuple[str, ...],
    fields: tuple[str, ...],
    since: str | None,
    until: str | None,
    replayed: bool | None,
    limit: int,
    as_json: bool,
    home: Path | None,
) -> None:
    """Count dead letters by stream and reason, and list the newest: why, which field, when. Never a value."""
    from dataflow.dead_letters.table import DeadLetters

    meant = wanted(streams, reasons, fields, since, until, replayed)
    letters = DeadLetters(running(home).warehouse_client())
    counts = letters.counts(meant)
    shown = letters.listing(meant, limit) if limit and counts else []
    if as_json:
        counted = [{"stream": stream, "reason": reason, "letters": n} for (stream, reason), n in counts.items()]
        document = {"total": sum(counts.values()), "counts": counted, "letters": [as_dict(item) for item in shown]}
        click.echo(json.dumps(document, indent=2))
        return
    if not counts:
        click.echo("no dead letters")
        return
    for (stream, reason), count in counts.items():
        click.echo(f"{count:>10,}  {stream:<24}{reason}")
    click.echo(f"{sum(counts.values()):>10,}  in all")
    if shown:
        click.echo()
    for item in shown:
        click.echo(line(item))
    if shown and len(shown) < sum(counts.values()):
        click.echo(f"... {sum(counts.values()) - len(shown):,} more: --limit, --since, --until, --reason")


def as_dict(envelope: "Envelope") -> dict[str, Any]:
    """The envelope as JSON has it; its redacted payload as a value, not as text."""
    redacted = envelope.payload_redacted
    return {
        "id": envelope.dead_token,
        "stream": envelope.stream,
        "reason": envelope.reason,
        "field": envelope.field,
        "message": envelope.message,
        "contract_version": envelope.contract_version,
        "policy_version": envelope.policy_version,
        "received": envelope.received.isoformat(),
        "message_id": envelope.message_id,
        "payload_bytes": envelope.payload_bytes,
        "attributes": dict(envelope.attributes),
        "payload_redacted": None if redacted is None else json.loads(redacted),
        "replayed": envelope.replayed and envelope.replayed.isoformat(),
    }


def line(envelope: "Envelope") -> str:
    received = f"{envelope.received:%Y-%m-%d %H:%M:%S}"
    where = "" if envelope.field == "$" else f"{envelope.field} "
    again = "  (replayed)" if envelope.replayed else ""
    why = f"{envelope.reason}: {where}{envelope.message}"
    return f"{envelope.dead_token[:12]}  {received}  {envelope.stream}  {why}{again}"
