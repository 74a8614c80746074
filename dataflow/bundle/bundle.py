"""A bundle: one policy with its contracts and what was checked, signed as a whole."""

import base64
import binascii
import hashlib
import tempfile
from pathlib import Path

import msgspec

from dataflow.contract import load_contracts
from dataflow.errors import NorenError
from dataflow.keys.signing import Signer, Verifier
from dataflow.policy import check_policy, load_policy
from dataflow.policy.diff import Rules

FORMAT = 1


class Check(msgspec.Struct, frozen=True):
    """The verdict of one check before publication."""

    check: str
    verdict: str


class Told(msgspec.Struct, frozen=True):
    """A change that publication let through, in words."""

    direction: str
    where: str
    words: str


class Versions(msgspec.Struct, frozen=True):
    """Digest of the text that a version stands for, for every version ever published: it names one text for ever.

    policy: version -> SHA-256. contracts: stream -> version -> SHA-256.
    """

    policy: dict[str, str] = msgspec.field(default_factory=dict)
    contracts: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """number: counts from 1; a bundle is valid under its own number only, so that an old one cannot come back as new.

    environment: whose key signed it. created: RFC 3339.
    policy: the text of policy.yaml. contracts: stream -> text of its contract.
    changes: against the bundle before. approvals: who approved them.
    """

    format: int = FORMAT
    number: int
    environment: str
    created: str
    policy: str
    contracts: dict[str, str]
    checks: list[Check]
    changes: list[Told]
    approvals: list[str]
    versions: Versions

    def rules(self) -> Rules:
        """Policy and contracts, read and checked.

        Raises NorenError when they are wrong: published by something else than `noren policy publish`.
        """
        return rules_of_texts(self.policy, self.contracts)


class _Signed(msgspec.Struct):
    """The object in the store. payload: the bundle as JSON text; signature: base64."""

    payload: str
    signature: str


def rules_of_texts(policy: str, contracts: dict[str, str]) -> Rules:
    """Raises NorenError when something in them is wrong."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "contracts").mkdir()
        (root / "policy.yaml").write_text(policy, encoding="utf-8")
        for stream, text in contracts.items():
            if not stream.isidentifier():
                raise NorenError(f"{stream!r} is no name of a stream.")
            (root / "contracts" / f"{stream}.yaml").write_text(text, encoding="utf-8")
        rules = Rules(load_policy(root / "policy.yaml"), load_contracts(root / "contracts"))
    check_policy(rules.policy, dict(rules.contracts))
    return rules


def seal(bundle: Bundle, signer: Signer) -> bytes:
    """The object of a bundle."""
    payload = msgspec.json.encode(bundle)
    signed = base64.b64encode(signer.sign(payload)).decode()
    return msgspec.json.encode(_Signed(payload.decode(), signed))


def unseal(data: bytes, number: int, verifier: Verifier) -> Bundle:
    """The bundle of an object that the store has under `number`.

    Raises NorenError when it is damaged, not signed by the key that is trusted, or another number's.
    """
    try:
        signed = msgspec.json.decode(data, type=_Signed)
        signature = base64.b64decode(signed.signature, validate=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error) as error:
        raise NorenError("it is no signed bundle.") from error
    verifier.verify(signed.payload.encode(), signature)
    try:
        bundle = msgspec.json.decode(signed.payload, type=Bundle)
    except msgspec.MsgspecError as error:
        raise NorenError(f"its content is of another format than {FORMAT}; update this pipeline.") from error
    if bundle.format != FORMAT:
        raise NorenError(f"its format is {bundle.format}, this pipeline reads {FORMAT}; update it.")
    if bundle.number != number:
        raise NorenError(f"it was signed as bundle {bundle.number}.")
    return bundle


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
