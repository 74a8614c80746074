"""`noren dlq show`: one dead letter; what the message held only when asked for, and then on record."""

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.errors import NorenError
from scripts.cli.dlq.list import as_dict
from scripts.cli.dlq.options import home_option, running, write_line

if TYPE_CHECKING:
    from scripts.stack.endpoints import Endpoints


@click.command(epilog="Example: noren dlq show 3f2504e04f89")
@click.argument("id")
@click.option(
    "--decrypt",
    is_flag=True,
    help="Also print the message's own bytes and all its attributes: personal data, in clear. Needs the dead letters' "
    "key; who asked, when and for which letter is written to the ledger, for ever.",
)
@click.option("--because", default="", help="Why it is decrypted, for the ledger: a ticket, not a person's data.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; decrypted bytes in base64.")
@home_option
def show(id: str, decrypt: bool, because: str, as_json: bool, home: Path | None) -> None:
    """Show the dead letter ID (or its first digits): its envelope, and the payload's declared names and types."""
    from dataflow.core.reasons import meaning
    from dataflow.dead_letters.table import DeadLetters

    stack = running(home)
    envelope, sealed = DeadLetters(stack.warehouse_client()).get(id)
    document = as_dict(envelope)
    document["meaning"] = meaning(envelope.reason)
    if decrypt:
        data, attributes = _decrypted(stack, envelope.dead_token, sealed)
        number = write_line(
            stack,
            "dead_letters.decrypted",
            {"dead_token": envelope.dead_token, "stream": envelope.stream, "because": because},
        )
        document["decrypted"] = {
            "data": base64.b64encode(data).decode(),
            "attributes": attributes,
            "ledger_line": number,
        }
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    _print({name: value for name, value in document.items() if name != "decrypted"})
    if decrypt:
        click.echo(f"\ndecrypted (line {number} of the ledger dead_letters):")
        for name, value in sorted(attributes.items()):
            click.echo(f"  {name}: {json.dumps(value)}")
        click.echo(_readable(data))


def _decrypted(stack: "Endpoints", dead_token: str, sealed: bytes) -> tuple[bytes, dict[str, str]]:
    """Raises NorenError without the key."""
    from dataflow.dead_letters import PURPOSE, open_dead_letter
    from dataflow.keys import KeyRing

    directory = stack.home.root / "keys"
    if not directory.is_dir():
        raise NorenError(f"{directory} holds no keys: the dead letter cannot be opened without its own.")
    return open_dead_letter(sealed, dead_token, KeyRing.open(directory).sealer(PURPOSE))


def _print(document: dict[str, Any]) -> None:
    for name, value in document.items():
        if name == "payload_redacted":
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        click.echo(f"{name:<18}{text}")
    click.echo(f"{'payload_redacted':<18}{json.dumps(document['payload_redacted'])}")


def _readable(data: bytes) -> str:
    """The data as text where a terminal shows it as it is, else in base64."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if text and all(sign.isprintable() or sign in "\n\t" for sign in text):
        return text
    return f"base64: {base64.b64encode(data).decode()}"
