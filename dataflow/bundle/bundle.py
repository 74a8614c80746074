"""A bundle: one policy with its contracts and what was checked, signed as a whole."""

import base64
import binascii
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dataflow.contract import load_contracts
from dataflow.errors import NorenError
from dataflow.keys.signing import Signer, Verifier
from dataflow.policy import check_policy, load_policy
from dataflow.policy.diff import Rules
from dataflow.policy.read import read_policy, read_text
from dataflow.project import Project

FORMAT = 1


class Texts(msgspec.Struct, frozen=True):
    """The files that make up the rules, as text.

    policy: policy.yaml. contracts: stream -> its contract. files: what rules read besides, such as hierarchies, by name
    relative to the policy's directory.
    """

    policy: str
    contracts: dict[str, str]
    files: dict[str, str] = msgspec.field(default_factory=dict)

    @classmethod
    def of(cls, project: Project) -> "Texts":
        """Of a project as its files are now. Raises NorenError when one cannot be read."""
        policy = read_text(project.policy)
        read, _ = read_policy(policy, project.policy.name, project.policy.parent)
        names = sorted({name for method in read.methods() for name in method.files()})
        return cls(
            policy,
            {path.stem: read_text(path) for path in sorted(project.contracts.glob("*.yaml"))},
            {name: read_text(project.policy.parent / name) for name in names},
        )

    @contextmanager
    def written(self) -> Iterator[tuple[Path, Path]]:
        """(policy file, directory of the contracts) in a directory that is gone afterwards.

        Raises NorenError for a name that leads out of it.
        """
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory).resolve()
            named = {"policy.yaml": self.policy, **self.files}
            named |= {f"contracts/{stream}.yaml": text for stream, text in self.contracts.items()}
            for name, text in named.items():
                path = (root / name).resolve()
                if not path.is_relative_to(root):
                    raise NorenError(f"{name}: leads out of the bundle.")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            yield root / "policy.yaml", root / "contracts"

    def rules(self) -> Rules:
        """Raises NorenError when something in them is wrong."""
        with self.written() as (policy, contracts):
            rules = Rules(load_policy(policy), load_contracts(contracts))
        check_policy(rules.policy, dict(rules.contracts))
        return rules

    def digest(self) -> str:
        """SHA-256 of the policy with the files that it reads."""
        return digest("\0".join([self.policy, *(part for item in sorted(self.files.items()) for part in item)]))


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
    changes: against the bundle before. approvals: who approved them.
    """

    format: int = FORMAT
    number: int
    environment: str
    created: str
    texts: Texts
    checks: list[Check]
    changes: list[Told]
    approvals: list[str]
    versions: Versions

    def rules(self) -> Rules:
        """Policy and contracts, read and checked.

        Raises NorenError when they are wrong: published by something else than `noren policy publish`.
        """
        return self.texts.rules()


class _Signed(msgspec.Struct):
    """The object in the store. payload: the bundle as JSON text; signature: base64."""

    payload: str
    signature: str


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
