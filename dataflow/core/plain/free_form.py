"""Values of any form: the end of one, and whether it would be written again as it stands."""

from dataflow.compiled.loop import compiled
from dataflow.compiled.views import Numbers
from dataflow.core.plain.numbers import canonical
from dataflow.core.plain.scan import blanks, same, word_at
from dataflow.core.plain.texts import text_end
from dataflow.core.plain.values import IS_OBJECT, KEY_FIRST, KEY_LENGTH, KEY_START, MOST_MAP_DEPTH, MOST_MAP_KEYS


@compiled
def anything(buffer: Numbers, place: int, room: Numbers) -> tuple[int, bool]:
    """(place behind a value, whether blanks stand in it); -1 unless it would be written again as it stands, blanks
    aside."""
    spaced = False
    depth, keys = 0, 0
    while True:
        # a value
        byte = buffer[place]
        opened = False
        if byte == 0x22:
            place, escaped, _ = text_end(buffer, place + 1)
            if place < 0 or escaped:
                return -1, spaced
            place += 1
        elif byte == 0x7B or byte == 0x5B:
            if depth >= MOST_MAP_DEPTH:
                return -1, spaced
            depth += 1
            room[IS_OBJECT, depth] = byte == 0x7B
            room[KEY_FIRST, depth] = keys
            opened = True
            place += 1
        elif byte == 0x74 and word_at(buffer, place, 0x65757274, 4):
            place += 4
        elif byte == 0x66 and word_at(buffer, place + 1, 0x65736C61, 4):
            place += 5
        elif byte == 0x6E and word_at(buffer, place, 0x6C6C756E, 4):
            place += 4
        else:
            place = canonical(buffer, place)
            if place < 0:
                return -1, spaced
        # what comes behind it: the ends of all that is full now, then a comma
        while depth > 0:
            behind = blanks(buffer, place)
            if behind != place:
                spaced = True
                place = behind
            byte = buffer[place]
            if byte == (0x7D if room[IS_OBJECT, depth] else 0x5D):
                keys = room[KEY_FIRST, depth]
                depth -= 1
                opened = False
                place += 1
                continue
            if not opened:
                if byte != 0x2C:
                    return -1, spaced
                place += 1
            break
        if depth == 0:
            return place, spaced
        behind = blanks(buffer, place)
        if behind != place:
            spaced = True
            place = behind
        if room[IS_OBJECT, depth]:
            if buffer[place] != 0x22 or keys >= MOST_MAP_KEYS:
                return -1, spaced
            start = place + 1
            place, escaped, _ = text_end(buffer, start)
            if place < 0 or escaped or _repeated(buffer, start, place - start, room, room[KEY_FIRST, depth], keys):
                return -1, spaced
            room[KEY_START, keys] = start
            room[KEY_LENGTH, keys] = place - start
            keys += 1
            place += 1
            behind = blanks(buffer, place)
            if behind != place:
                spaced = True
                place = behind
            if buffer[place] != 0x3A:
                return -1, spaced
            place += 1
            behind = blanks(buffer, place)
            if behind != place:
                spaced = True
                place = behind


@compiled
def _repeated(buffer: Numbers, start: int, length: int, room: Numbers, first: int, last: int) -> bool:
    """Whether a sister has the same name."""
    for key in range(first, last):
        if room[KEY_LENGTH, key] == length and same(buffer, start, buffer, room[KEY_START, key], length):
            return True
    return False
