"""`noren policy`: what is done with each field, checked, compared and published."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from dataflow.policy.diff import Change


@click.group(epilog="Example: noren policy check")
def policy() -> None:
    """What is done with each field, in dataflow/policy.yaml."""


@policy.command(epilog="Example: noren policy check --json")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list.")
def check(as_json: bool) -> None:
    """Check dataflow/policy.yaml against the contracts. Everything that is wrong is printed; exit code 1 then."""
    from dataflow.contract import load_contracts
    from dataflow.policy.check import review
    from dataflow.policy.read import read_text

    project = Project.find()
    contracts = load_contracts(project.contracts)
    found, findings = review(read_text(project.policy), project.policy.name, contracts, project.policy.parent)
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(str(finding))
    fields = sum(len(contract.leaves()) for contract in contracts.values())
    if findings:
        raise NorenError(f"{len(findings)} findings in policy.yaml; mend them before it is published.")
    if not as_json:
        click.echo(f"policy.yaml {found.version} fits {fields} fields of {', '.join(contracts)}")


@policy.command(epilog="Example: noren policy diff origin/main")
@click.argument("base")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as a JSON list.")
def diff(base: str, as_json: bool) -> None:
    """Say what leaves the curtain now and did not at BASE: a git revision, a directory or a policy file."""
    from dataflow.policy.base import rules_at, rules_of
    from dataflow.policy.diff import diff as compare

    project = Project.find()
    changes = compare(rules_at(project, base), rules_of(project))
    if as_json:
        click.echo(json.dumps([vars(change) | {"weakens": change.weakens} for change in changes], indent=2))
    else:
        click.echo("\n".join(told(changes)))


@policy.command(epilog="Example: noren policy publish --reviews reviews.json --author ana --head 1f0c2b9")
@click.option(
    "--bundles", help="Where to: a directory, gs://BUCKET/PREFIX or bigquery://PROJECT.DATASET.TABLE [HOME/bundles]."
)
@click.option("--home", type=click.Path(path_type=Path), help="Home of the local stack, with its key [.noren/local].")
@click.option(
    "--key", type=click.Path(path_type=Path), help="Directory of the signing key [a development key, HOME/keys]."
)
@click.option("--reviews", type=click.Path(path_type=Path), help="GitHub's answer to GET /pulls/N/reviews.")
@click.option("--author", help="Login of who opened the pull request.")
@click.option("--head", help="Commit that was reviewed: approvals of another one do not count.")
@click.option("--unreviewed", is_flag=True, help="Publish without approvals; for the development key only.")
def publish(
    bundles: str | None,
    home: Path | None,
    key: Path | None,
    reviews: Path | None,
    author: str | None,
    head: str | None,
    unreviewed: bool,
) -> None:
    """Check, sign and publish the policy with the contracts. Running pipelines take it within seconds.

    What lets more through than the bundle before needs two approvals of the pull request.
    """
    from dataflow.bundle import BundleStore, Texts
    from dataflow.bundle.approvals import read_approvals
    from dataflow.bundle.publish import Approval, publish
    from dataflow.keys.signing import Verifier, development_signer, open_signer, public_file
    from dataflow.objects.places import open_objects

    project = Project.find()
    place = (home or project.state / "local").resolve()
    if reviews is not None and author is None:
        raise NorenError("--reviews needs --author: an author's own approval does not count.")
    people = read_approvals(reviews, author, head) if reviews is not None and author is not None else []
    signer = development_signer(place / "keys") if key is None else open_signer(key)
    target = bundles or str(place / "bundles")
    bundle, changes = publish(
        Texts.of(project),
        BundleStore(open_objects(target)),
        signer,
        Verifier.load(public_file(key or place / "keys")),
        Approval(people, unreviewed),
    )
    for line in told(changes):
        click.echo(line)
    verdicts = "; ".join(f"{check.check}: {check.verdict}" for check in bundle.checks)
    click.echo(f"bundle {bundle.number} is published to {target}, signed for {bundle.environment} ({verdicts})")


@policy.command(epilog="Example: noren policy key keys --kms gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--kms", required=True, help="Cloud KMS key that wraps it: gcp-kms://projects/P/locations/L/...")
@click.option("--environment", default="production", show_default=True, help="What it signs for.")
def key(directory: Path, kms: str, environment: str) -> None:
    """Make a signing key in DIRECTORY, wrapped by Cloud KMS. Pipelines get its public file with --trust."""
    from dataflow.keys.signing import DEVELOPMENT, create_signing_key, public_file
    from dataflow.keys.wrapping import LOCAL, wrapping

    if kms == LOCAL or environment == DEVELOPMENT:
        raise NorenError("a development key is made by noren policy publish itself; this one is wrapped by Cloud KMS.")
    if not create_signing_key(directory, wrapping(kms, directory), environment):
        raise NorenError(f"{directory}: has a signing key already; choose another directory to make a new one.")
    click.echo(f"made for {environment}; deploy {public_file(directory)} with the pipelines")


def told(changes: "list[Change]") -> list[str]:
    """The changes in lines, and what they ask for."""
    lines = [f"{change.direction:<9}{change}" for change in changes]
    if not lines:
        return ["nothing changes in what leaves the curtain"]
    weaker = sum(change.weakens for change in changes)
    if weaker:
        return [*lines, f"{weaker} of {len(lines)} changes let more through or cannot be compared: two approvals"]
    return [*lines, "nothing is weaker"]
