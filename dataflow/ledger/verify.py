"""What is wrong with a ledger, from its bytes alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from dataflow.ledger.chain import Line, decode, digest


@dataclass(frozen=True)
class Damage:
    """One line that is not what was appended.

    kind: `altered`, `removed`, `moved`, or `broken`: it does not stand on the line before it.
    """

    number: int
    kind: str
    words: str


def damages(
    origin: str, lines: Mapping[int, bytes], digests: Mapping[int, str], mirrored: Mapping[int, str]
) -> list[Damage]:
    """Everything that is wrong, by number; at most one damage a line, for one altered line is not two findings.

    origin: what the first line stands on. lines, digests, mirrored: by number, as they lie in the store and its mirror.
    """
    found: list[Damage] = []
    last = max([*lines, *digests, *mirrored], default=-1)
    before: str | None = origin
    for number in range(last + 1):
        noted = mirrored.get(number, digests.get(number))
        if number not in lines:
            found.append(Damage(number, "removed", f"line {number} was removed"))
            before = noted
            continue
        data = lines[number]
        damage = _damage(number, data, before, noted, number == last)
        if damage is not None:
            found.append(damage)
        # an altered line is one finding: the next one is held against what this one was; where its digest moved too,
        # nobody knows
        before = None if damage is not None and damage.kind == "moved" else noted or digest(data)
    return found


def _damage(number: int, data: bytes, before: str | None, noted: str | None, last: bool) -> Damage | None:
    """before: the digest that the line has to stand on, None when nobody knows. noted: its own digest."""
    line = _read(data)
    if line is not None and line.number != number:
        return Damage(number, "moved", f"line {number} is what was appended as line {line.number}")
    if line is None or (noted is not None and digest(data) != noted):
        return Damage(number, "altered", f"line {number} was altered")
    if noted is None and not last:  # a digest is made before the next line
        return Damage(number, "altered", f"line {number} has lost its digest: it may have been altered")
    if before is not None and line.before != before:
        return Damage(number, "broken", f"line {number} does not stand on line {number - 1}")
    return None


def _read(data: bytes) -> Line | None:
    try:
        return decode(data)
    except ValueError:
        return None
