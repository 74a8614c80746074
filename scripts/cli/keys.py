"""`noren keys`: what there are of keys, their rotation, and what reverses encrypted columns. Never a key."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from dataflow.contract import Contract
    from dataflow.keys import KeyRing, KeysetInfo
    from dataflow.policy import Policy

HOME = click.option("--home", type=click.Path(path_type=Path), help="Home of the stack, with keys/ [.noren/local].")


@click.group(epilog="Example: noren keys list")
def keys() -> None:
    """Keysets: made when they are needed, wrapped by NOREN_KMS_KEY or, without, the local key."""


@keys.command("list", epilog="Example: noren keys list --state")
@HOME
@click.option("--state", is_flag=True, help="Also ask Cloud KMS for the state of the keys that wrap.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_keysets(home: Path | None, state: bool, as_json: bool) -> None:
    """Show every keyset: kind, purpose, epoch, when it was made and wrapped, and by which key."""
    found = _ring(home).listing()
    if as_json:
        click.echo(json.dumps([_as_json(info) for info in found], indent=2))
    elif not found:
        click.echo("no keyset yet: they are made when they are needed")
    else:
        for info in found:
            click.echo(_line(info))
    if state:
        from dataflow.keys import KmsKey
        from dataflow.keys.kms import SCHEME

        for name in sorted({info.wrapping for info in found if info.wrapping.startswith(SCHEME)}):
            click.echo(f"{name}: {KmsKey(name).state()}", err=as_json)


@keys.command(epilog="Example: noren keys rotate journal dead_letter")
@click.argument("purposes", nargs=-1, required=True)
@HOME
def rotate(purposes: tuple[str, ...], home: Path | None) -> None:
    """Give what is sealed for PURPOSES (journal, dead_letter) a new key; what older keys sealed still opens.

    Running processes seal with it within a minute and open with it at once. Token and deterministic keys change with
    the epoch of the event, never in between.
    """
    ring = _ring(home)
    for purpose in purposes:
        click.echo(f"seal.{purpose}: generation {ring.rotate(purpose)}")


@keys.command(epilog="Example: NOREN_KMS_KEY=gcp-kms://NEW,gcp-kms://OLD noren keys rewrap")
@HOME
def rewrap(home: Path | None) -> None:
    """Wrap every keyset anew, by the first key of NOREN_KMS_KEY; the keys and all that they made stay.

    After a rotation in Cloud KMS, or to move to another key: give running processes both names first.
    """
    names = _ring(home).rewrap()
    click.echo(f"wrapped anew: {', '.join(map(str, names)) or 'nothing'}")


@keys.command(epilog="Example: noren keys remake token.app.22")
@click.argument("name")
@HOME
@click.confirmation_option(prompt="What the lost key made can then never be joined or opened again. Go on?")
def remake(name: str, home: Path | None) -> None:
    """Make keyset NAME anew, after it was lost for good; refused unless it was made and is gone."""
    from dataflow.keys import KeysetName

    _ring(home).remake(KeysetName.parse(name))
    click.echo(f"made anew: {name}")


@keys.command(epilog="Example: noren keys export app --reader gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K")
@click.argument("purpose")
@click.option("--reader", required=True, envvar="NOREN_KMS_READER_KEY", help="Cloud KMS key of those who may reverse.")
@click.option("--epoch", "epochs", type=int, multiple=True, help="Only this epoch; may be repeated [all].")
@click.option("--json", "as_json", is_flag=True, help="Print the wrapped keyset (base64) and the SQL as JSON.")
@HOME
def export(purpose: str, reader: str, epochs: tuple[int, ...], as_json: bool, home: Path | None) -> None:
    """Print SQL that shows in clear what `encrypt` made for PURPOSE (a domain, by default).

    The keyset stands in it encrypted by the reader's key: only who may decrypt with that key can run it. Whoever
    exports needs no right to decrypt with it, and it must be another key than those that wrap.
    """
    import base64

    from dataflow.contract import load_contracts
    from dataflow.keys import KmsKey
    from dataflow.policy import load_policy

    project = Project.find()
    contracts = load_contracts(project.contracts)
    policy = load_policy(project.policy)
    exported = _ring(home).export(purpose, KmsKey(reader), sorted(set(epochs)))
    queries = {
        table: exported.query(f"{project.id}.{table}", columns)
        for contract in contracts.values()
        if policy.purpose(contract) == purpose
        for table, columns in _encrypted(contract, policy).items()
    }
    if as_json:
        document = {
            "kms_key": exported.kms_key,
            "location": exported.location,
            "epochs": exported.epochs,
            "keyset": base64.b64encode(exported.keyset).decode(),
            "queries": queries,
        }
        click.echo(json.dumps(document, indent=2))
    elif queries:
        click.echo(";\n\n".join(queries.values()) + ";")
    else:
        click.echo(f"-- The policy encrypts no column for {purpose} now; for a column of earlier:")
        click.echo(exported.query(f"{project.id}.DATASET.TABLE", ["COLUMN"]) + ";")


def _encrypted(contract: "Contract", policy: "Policy") -> dict[str, list[str]]:
    """Table -> paths of its encrypted columns, but for those inside arrays."""
    from dataflow.methods.encrypt import Encrypt
    from dataflow.schemas import anonymized_table

    table = anonymized_table(contract, policy)
    paths = [
        leaf.path
        for column in table.columns
        if not column.repeated
        for leaf in column.leaves()
        if leaf.method == Encrypt.name and not leaf.repeated
    ]
    return {table.id: paths} if paths else {}


def _ring(home: Path | None) -> "KeyRing":
    from dataflow.keys import KeyRing

    directory = (home or Project.find().state / "local").resolve() / "keys"
    if not directory.is_dir():
        raise NorenError(f"{directory} holds no keys: start a pipeline, or name the home of its stack with --home.")
    return KeyRing.open(directory)


def _as_json(info: "KeysetInfo") -> dict[str, object]:
    name = info.name
    return {
        "name": str(name),
        "kind": name.kind,
        "purpose": name.purpose,
        "epoch": name.epoch,
        "lost": info.generation == 0,
        "generation": info.generation,
        "created": info.created,
        "wrapped": info.wrapped or None,
        "wrapping": info.wrapping or None,
        "keys": len(info.key_ids),
    }


def _line(info: "KeysetInfo") -> str:
    if info.generation == 0:
        return f"{info.name!s:<28} made {info.created[:10]}  LOST: restore it, or noren keys remake {info.name}"
    keys = f", {len(info.key_ids)} keys" if len(info.key_ids) > 1 else ""
    return f"{info.name!s:<28} made {info.created[:10]}  wrapped {info.wrapped[:10]} by {info.wrapping}{keys}"
