"""Publication: every heavy check runs here, once, so that a running pipeline has only a signature to verify."""

import datetime
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataflow.bundle.approvals import NEEDED
from dataflow.bundle.bundle import Bundle, Check, Told, Versions, digest, seal
from dataflow.bundle.store import BundleStore
from dataflow.bundle.transition import check_transition
from dataflow.contract import load_contracts
from dataflow.core import Anonymizer, Batch
from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.keys.signing import DEVELOPMENT, Signer, Verifier
from dataflow.policy import PolicyError
from dataflow.policy.check import review
from dataflow.policy.diff import NO_RULES, Change, Rules, diff


@dataclass(frozen=True)
class Approval:
    """What stands for the review of a change.

    people: logins of those who approved it. unreviewed: publish without; honoured for a development key only.
    """

    people: Sequence[str] = ()
    unreviewed: bool = False


def publish(
    policy: str,
    contracts: Mapping[str, str],
    store: BundleStore,
    signer: Signer,
    verifier: Verifier,
    approval: Approval,
) -> tuple[Bundle, list[Change]]:
    """Check, sign and publish a policy with its contracts, each given as text; the bundle and what it changes.

    Raises PolicyError or NorenError when a check fails, when nothing changed, or when more is let through than before
    and too few people approved it.
    """
    rules = _read(policy, contracts)
    before = store.newest(verifier)
    versions = before.versions if before else Versions()
    if before and (before.policy, before.contracts) == (policy, dict(contracts)):
        raise NorenError(f"nothing to publish: bundle {before.number} has this policy and these contracts already.")
    versions = _versions(rules, policy, contracts, versions)
    checks = [Check("the policy fits the contracts", "passed")]
    _compile(rules)
    checks.append(Check("every stream's anonymizer runs", "passed"))
    old = before.rules() if before else NO_RULES
    for stream in rules.contracts:
        if stream in old.contracts:
            check_transition(stream, old, rules)
    checks.append(Check("no output column changes its type", "passed"))
    changes = diff(old, rules)
    checks.append(Check("what is weaker is approved", _approved(changes, signer, approval)))
    number = max(store.numbers(), default=0) + 1
    bundle = Bundle(
        number=number,
        environment=signer.environment,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        policy=policy,
        contracts=dict(contracts),
        checks=checks,
        changes=[Told(change.direction, change.where, change.words) for change in changes],
        approvals=list(approval.people),
        versions=versions,
    )
    if not store.create(number, seal(bundle, signer)):
        raise NorenError(f"bundle {number} was published by somebody else just now; compare with it and try again.")
    return bundle, changes


def _read(policy: str, contracts: Mapping[str, str]) -> Rules:
    """Raises PolicyError with everything that is wrong: gaps too, which a pipeline would bear."""
    with tempfile.TemporaryDirectory() as directory:
        for stream, text in contracts.items():
            (Path(directory) / f"{stream}.yaml").write_text(text, encoding="utf-8")
        loaded = load_contracts(Path(directory))
    read, findings = review(policy, "policy.yaml", loaded)
    if findings:
        raise PolicyError(findings)
    return Rules(read, loaded)


def _versions(rules: Rules, policy: str, contracts: Mapping[str, str], known: Versions) -> Versions:
    """The known versions and these. Raises NorenError when a version stands for another text already."""
    wrong = []
    if known.policy.get(rules.policy.version, digest(policy)) != digest(policy):
        wrong.append(f"policy.yaml: version: {rules.policy.version} is published with another text; raise it.")
    told = {stream: dict(entries) for stream, entries in known.contracts.items()}
    for stream, contract in rules.contracts.items():
        entry = told.setdefault(stream, {})
        if entry.setdefault(contract.version, digest(contracts[stream])) != digest(contracts[stream]):
            wrong.append(f"{stream}.yaml: version: {contract.version} is published with another text; raise it.")
    if wrong:
        raise NorenError("\n".join(wrong))
    return Versions({**known.policy, rules.policy.version: digest(policy)}, told)


def _compile(rules: Rules) -> None:
    """Build every stream's anonymizer, with keys for this moment, and run it on nothing.

    Raises NorenError when a rule cannot be carried out.
    """
    with tempfile.TemporaryDirectory() as directory:
        keys = KeyRing.local(Path(directory))
        for stream, contract in rules.contracts.items():
            try:
                Anonymizer(contract, rules.policy, keys).process(Batch([], []))
            except NorenError:
                raise
            except Exception as error:
                raise NorenError(f"{stream}: the policy cannot be carried out: {type(error).__name__}.") from error


def _approved(changes: Sequence[Change], signer: Signer, approval: Approval) -> str:
    """The verdict. Raises NorenError when there is none."""
    weaker = [change for change in changes if change.weakens]
    if not weaker:
        return "passed: nothing is weaker"
    if len(set(approval.people)) >= NEEDED:
        return f"passed: {', '.join(approval.people)}"
    if approval.unreviewed and signer.environment == DEVELOPMENT:
        return "not reviewed: development key"
    told = "\n".join(f"  {change}" for change in weaker)
    way = "ask for reviews of the pull request and give them with --reviews"
    if signer.environment == DEVELOPMENT:
        way += ", or publish for development with --unreviewed"
    raise NorenError(
        f"{len(weaker)} changes let more through or cannot be compared, which takes {NEEDED} approvals and has "
        f"{len(set(approval.people))}; {way}:\n{told}"
    )
