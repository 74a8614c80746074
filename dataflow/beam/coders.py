"""How candidates cross a shuffle: Arrow streams in msgpack. Pickles would break when a running job is updated."""

import msgspec
from apache_beam.coders import Coder

from dataflow.candidates import Candidates
from dataflow.journal.entry import decode_rows, encode_rows
from dataflow.operators.index import Events


class _Wire(msgspec.Struct, array_like=True):
    rows: bytes
    origins: Events
    dead_origins: Events
    unknown: list[tuple[int, str, str]]
    newest: int


_DECODER = msgspec.msgpack.Decoder(_Wire)


class CandidatesCoder(Coder):
    """Candidates <-> bytes."""

    def encode(self, value: Candidates) -> bytes:
        rows = encode_rows({"raw": value.raw, "anonymized": value.anonymized, "dead": value.dead})
        return msgspec.msgpack.encode(_Wire(rows, value.origins, value.dead_origins, value.unknown, value.newest))

    def decode(self, encoded: bytes) -> Candidates:
        wire = _DECODER.decode(encoded)
        rows = decode_rows(wire.rows)
        return Candidates(
            rows["raw"], rows["anonymized"], wire.origins, rows["dead"], wire.dead_origins, wire.unknown, wire.newest
        )

    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> type[Candidates]:
        return Candidates
