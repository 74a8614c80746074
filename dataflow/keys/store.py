"""Where keysets lie: wrapped, create-if-absent, and never made anew for a key that was used before.

Below the key directory (or, later, a bucket):

- `keysets/<kind>.<purpose>[.<epoch>].<generation>`: JSON with `created`, `wrapped`, `wrapping`, `key_ids` and `keyset`,
  a Tink encrypted keyset (base64) bound to its object's name: one that is renamed does not open. The newest generation
  counts; one that it follows is deleted as soon as the new one has been read back. Rotation and re-wrapping write a
  generation.
- `register/<kind>.<purpose>[.<epoch>]`: JSON with `created` and the id of the first key. It is written when a key is
  made and stays. A registered keyset that is missing, or another than the registered, is an error and not made anew: a
  new key would give every person another token, and nobody would notice. An epoch that is not registered was never used
  and is made at any time, also when newer ones exist: late events and imports of old data must not stop a pipeline.
"""

import base64
import datetime
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tink import aead, daead, new_keyset_handle, prf, proto_keyset_format, secret_key_access
from tink.proto import tink_pb2

from dataflow.errors import NorenError
from dataflow.keys.guard import guarded
from dataflow.keys.wrapping import SETTING, Wrapping
from dataflow.objects import Objects

KEYSETS, REGISTER = "keysets", "register"
ATTEMPTS = 5
"""How often the store is looked at again when a keyset was replaced between listing and reading."""

prf.register()
daead.register()
aead.register()


class Kind(StrEnum):
    """What a keyset's keys do, and so which rotation it knows."""

    TOKEN = "token"  # noqa: S105  (a word)
    DETERMINISTIC = "deterministic"
    SEAL = "seal"

    @property
    def template(self) -> Any:
        """Tink's template of its keys."""
        return _TEMPLATES[self]


_TEMPLATES = {
    Kind.TOKEN: prf.prf_key_templates.HMAC_SHA256,
    Kind.DETERMINISTIC: daead.deterministic_aead_key_templates.AES256_SIV,
    Kind.SEAL: aead.aead_key_templates.AES256_GCM,
}


@dataclass(frozen=True, order=True)
class KeysetName:
    """Names one keyset. `str()` of it is e.g. `token.app.22` or `seal.journal`.

    epoch: None for sealing, which rotates by adding keys and not by event time.
    Raises NorenError for a purpose that is none.
    """

    kind: Kind
    purpose: str
    epoch: int | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", self.purpose):
            raise NorenError(f"{self.purpose} is no purpose of a key: use lower-case letters, digits, - and _.")

    def __str__(self) -> str:
        parts = [self.kind, self.purpose, *([] if self.epoch is None else [str(self.epoch)])]
        return ".".join(parts)

    @classmethod
    def parse(cls, text: str) -> "KeysetName":
        """The name that `str()` gave. Raises NorenError when it is none."""
        match = re.fullmatch(r"(token|deterministic)\.([^.]+)\.(-?\d+)|(seal)\.([^.]+)", text)
        if match is None:
            raise NorenError(f"{text} is no keyset: names are like token.app.22, deterministic.app.22 or seal.journal.")
        if match[4]:
            return cls(Kind.SEAL, match[5])
        return cls(Kind(match[1]), match[2], int(match[3]))


@dataclass(frozen=True)
class KeysetInfo:
    """What can be told of a keyset without opening it.

    generation: 0 when it is registered but gone.
    created, wrapped: when its first key was made, and when it was last wrapped; ISO 8601, UTC.
    wrapping: the name of the key-encryption key.
    key_ids: Tink's ids of its keys, oldest first; ids are no secret, every ciphertext begins with one.
    """

    name: KeysetName
    generation: int
    created: str
    wrapped: str
    wrapping: str
    key_ids: tuple[int, ...]


@dataclass(frozen=True)
class Opened:
    """A keyset, open. handle: Tink's, which shows no key in `repr` and refuses to be pickled."""

    name: KeysetName
    generation: int
    created: str
    handle: Any


class KeysetStore:
    """Keysets in a store of objects.

    wrappings: the first wraps what is made, all may open what is there.
    """

    def __init__(self, objects: Objects, wrappings: Sequence[Wrapping]) -> None:
        self._objects = objects
        self._wrappings = {wrapping.name: wrapping for wrapping in wrappings}
        self._first = wrappings[0]

    @property
    def wrapping_names(self) -> tuple[str, ...]:
        return tuple(self._wrappings)

    def open(self, name: KeysetName) -> Opened:
        """The newest generation of a keyset, made when it never was.

        Raises NorenError when it was made and is gone, is another than the registered, or does not open.
        """
        for attempt in range(ATTEMPTS):
            # The register first: what is in it was in the store before, so its absence there means something.
            registered = self._registered(name)
            generation = self.generations().get(name)
            if generation is None and registered is None:
                self._make(name)
                continue
            if generation is None:
                if attempt < ATTEMPTS - 1:
                    continue
                raise NorenError(
                    f"The keyset {name} was made on {registered['created'][:10] if registered else '?'} and is gone: "
                    f"restore {KEYSETS}/{name}.*; a new one would give other results. If it is lost for good: "
                    f"noren keys remake {name}."
                )
            try:
                document = self._document(name, generation)
            except NorenError:
                if attempt < ATTEMPTS - 1 and self.generations().get(name) != generation:
                    continue
                raise
            opened = self._opened(name, generation, document)
            self._register(opened, registered)
            return opened
        raise NorenError(f"The keyset {name} changes all the time; try again.")

    def replace(self, current: Opened, handle: Any) -> int:
        """Store the next generation of a keyset, wrapped by the first key-encryption key; gives its number.

        Raises NorenError when somebody else did at the same time; then nothing is changed.
        """
        name, generation = current.name, current.generation + 1
        if not self._write(name, generation, current.created, handle):
            raise NorenError(f"The keyset {name} was replaced by somebody else at this moment; look at it and repeat.")
        self._opened(name, generation, self._document(name, generation))  # it can be read back
        for older in list(self._all()):
            if older[0] == name and older[1] < generation:
                self._objects.delete(_object(*older))
        return generation

    def remake(self, name: KeysetName) -> None:
        """Forget that a lost keyset was ever made and make a new one. Raises NorenError unless it is lost."""
        if self._registered(name) is None:
            raise NorenError(f"The keyset {name} was never made, so it is not lost; it is made when it is needed.")
        if name in self.generations():
            raise NorenError(f"The keyset {name} is there, so it is not lost.")
        self._objects.delete(f"{REGISTER}/{name}")
        self.open(name)

    def generations(self) -> dict[KeysetName, int]:
        """The newest generation of every keyset that is there."""
        newest: dict[KeysetName, int] = {}
        for name, generation in self._all():
            newest[name] = max(generation, newest.get(name, 0))
        return newest

    def listing(self) -> list[KeysetInfo]:
        """Every keyset that is there or registered, sorted; nothing is opened."""
        found = []
        generations = self.generations()
        for name, generation in generations.items():
            document = self._document(name, generation)
            found.append(
                KeysetInfo(
                    name,
                    generation,
                    document["created"],
                    document["wrapped"],
                    document["wrapping"],
                    tuple(document["key_ids"]),
                )
            )
        for text in self._objects.names(REGISTER):
            name = KeysetName.parse(text.removeprefix(f"{REGISTER}/"))
            if name not in generations:
                entry = self._entry(text)
                found.append(KeysetInfo(name, 0, entry["created"], "", "", (entry["key_id"],)))
        return sorted(found, key=lambda info: info.name)

    def _all(self) -> Iterator[tuple[KeysetName, int]]:
        for text in self._objects.names(KEYSETS):
            stem, _, generation = text.removeprefix(f"{KEYSETS}/").rpartition(".")
            if not generation.isdigit():
                raise NorenError(f"{text}: is no keyset's object; take it out of the key directory.")
            yield KeysetName.parse(stem), int(generation)

    def _make(self, name: KeysetName) -> None:
        """Make generation 1; of two processes that do so at once the first wins."""
        self._write(name, 1, _now(), new_keyset_handle(name.kind.template))

    def _write(self, name: KeysetName, generation: int, created: str, handle: Any) -> bool:
        wrapped = guarded(
            lambda: proto_keyset_format.serialize_encrypted(handle, self._first, _context(name, generation)),
            f"The keyset {name} cannot be wrapped by {self._first.name}.",
        )
        document = {
            "created": created,
            "wrapped": _now(),
            "wrapping": self._first.name,
            "key_ids": _ids(handle),
            "keyset": base64.b64encode(wrapped).decode(),
        }
        return self._objects.create(_object(name, generation), json.dumps(document, indent=1).encode())

    def _document(self, name: KeysetName, generation: int) -> dict[str, Any]:
        text = _object(name, generation)
        try:
            document = json.loads(self._objects.read(text))
            if set(document) != {"created", "wrapped", "wrapping", "key_ids", "keyset"}:
                raise ValueError
            base64.b64decode(document["keyset"], validate=True)
        except (ValueError, TypeError):
            raise NorenError(f"{text}: is damaged; restore it.") from None
        return dict(document)

    def _opened(self, name: KeysetName, generation: int, document: dict[str, Any]) -> Opened:
        # Never a key that the object alone names: whoever can write objects would choose the key that opens them.
        wrapping = self._wrappings.get(document["wrapping"])
        if wrapping is None:
            raise NorenError(
                f"The keyset {name} is wrapped by {document['wrapping']}, which {SETTING} does not name; add it there."
            )
        handle = guarded(
            lambda: proto_keyset_format.parse_encrypted(
                base64.b64decode(document["keyset"]), wrapping, _context(name, generation)
            ),
            f"The keyset {name} does not open with the key-encryption key {wrapping.name}; restore one or the other.",
        )
        return Opened(name, generation, document["created"], handle)

    def _registered(self, name: KeysetName) -> dict[str, Any] | None:
        text = f"{REGISTER}/{name}"
        if text not in self._objects.names(REGISTER):
            return None
        return self._entry(text)

    def _entry(self, text: str) -> dict[str, Any]:
        """What the register says of a key."""
        try:
            entry = json.loads(self._objects.read(text))
            return {"created": str(entry["created"]), "key_id": int(entry["key_id"])}
        except (ValueError, TypeError, KeyError):
            raise NorenError(f"{text}: is damaged; restore it.") from None

    def _register(self, opened: Opened, registered: dict[str, Any] | None) -> None:
        name, ids = opened.name, _ids(opened.handle)
        if registered is None:
            entry: dict[str, Any] = {"created": opened.created, "key_id": ids[0]}
            self._objects.create(f"{REGISTER}/{name}", json.dumps(entry, indent=1).encode())
            registered = self._registered(name) or entry
        if registered["key_id"] not in ids:
            raise NorenError(
                f"The keyset {name} is not the one that was made on {registered['created'][:10]}: restore that one."
            )


def keyset_of(handle: Any) -> tink_pb2.Keyset:
    """The keyset of a handle in clear: under `guarded` only."""
    return tink_pb2.Keyset.FromString(proto_keyset_format.serialize(handle, secret_key_access.TOKEN))


def handle_of(keyset: tink_pb2.Keyset) -> Any:
    """A handle of a keyset in clear: under `guarded` only."""
    return proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)


def _object(name: KeysetName, generation: int) -> str:
    return f"{KEYSETS}/{name}.{generation:06d}"


def _context(name: KeysetName, generation: int) -> bytes:
    """What the wrapped keyset is bound to: one renamed to another purpose, epoch or generation does not open."""
    return f"{name}.{generation}".encode()


def _ids(handle: Any) -> list[int]:
    """Tink's ids of a keyset's keys, oldest first."""
    return [info.key_id for info in handle.keyset_info().key_info]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
