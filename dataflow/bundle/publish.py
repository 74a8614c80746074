"""Publication: every heavy check runs here, once, so that a running pipeline has only a signature to verify."""

import datetime
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataflow.bundle.approvals import NEEDED
from dataflow.bundle.bundle import Bundle, Check, Texts, Told, Versions, digest, seal
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
    texts: Texts, store: BundleStore, signer: Signer, verifier: Verifier, approval: Approval
) -> tuple[Bundle, list[Change]]:
    """Check, sign and publish a policy with its contracts; the bundle and what it changes.

    Raises PolicyError or NorenError when a check fails, when nothing changed, or when more is let through than before
    and too few people approved it.
    """
    rules = _read(texts)
    before = store.newest(verifier)
    if before and before.texts == texts:
        raise NorenError(f"nothing to publish: bundle {before.number} has this policy and these contracts already.")
    versions = _versions(rules, texts, before.versions if before else Versions())
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
        texts=texts,
        checks=checks,
        changes=[Told(change.direction, change.where, change.words) for change in changes],
        approvals=list(approval.people),
        versions=versions,
    )
    if not store.create(number, seal(bundle, signer)):
        raise NorenError(f"bundle {number} was published by somebody else just now; compare with it and try again.")
    return bundle, changes


def _read(texts: Texts) -> Rules:
    """Raises PolicyError with everything that is wrong: gaps too, which a pipeline would bear."""
    with texts.written() as (policy, contracts):
        loaded = load_contracts(contracts)
        read, findings = review(texts.policy, policy.name, loaded, policy.parent)
    if findings:
        raise PolicyError(findings)
    return Rules(read, loaded)


def _versions(rules: Rules, texts: Texts, known: Versions) -> Versions:
    """The known versions and these. Raises NorenError when a version stands for another text already."""
    policy = rules.policy.version
    wrong = []
    if known.policy.get(policy, texts.digest()) != texts.digest():
        wrong.append(f"policy.yaml: version: {policy} is published with another text; raise it.")
    told = {stream: dict(entries) for stream, entries in known.contracts.items()}
    for stream, contract in rules.contracts.items():
        mine = digest(texts.contracts[stream])
        if told.setdefault(stream, {}).setdefault(contract.version, mine) != mine:
            wrong.append(f"{stream}.yaml: version: {contract.version} is published with another text; raise it.")
    if wrong:
        raise NorenError("\n".join(wrong))
    return Versions({**known.policy, policy: texts.digest()}, told)


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
