"""Who reads live policy tags, in clear and through which mask: what policy_tags.json would say of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from iam.engine.rights import FINE_GRAINED_READER, MASKED_READER
from iam.tags.apply import TagServices
from iam.tags.bindings import holders


@dataclass(frozen=True)
class Readers:
    """Of all tags of one display name. clear: members that read values. masked: masking expression -> who reads through
    it. stated: whether the file can say so. left_out: what it cannot say, for people."""

    description: str
    clear: tuple[str, ...]
    masked: dict[str, tuple[str, ...]]
    stated: bool = True
    left_out: tuple[str, ...] = ()


def readers_of_tags(services: TagServices, project: str, locations: Iterable[str]) -> dict[str, Readers]:
    """Display name -> its readers, of every tag in the taxonomies of the locations.

    The file states one list of readers a name: tags of one name whose readers differ are told and not stated. Raises
    NorenError when a service refuses.
    """
    tags = list(services.tags.all(project, locations))
    masks = services.masks.of(tag["name"] for tag in tags)
    found: dict[str, Readers] = {}
    for tag in tags:
        name, left_out = str(tag["displayName"]), []
        clear, limited = holders(services.tags.policy(tag["name"]), FINE_GRAINED_READER)
        left_out += [f"{member}, who reads it under a condition" for member in sorted(limited)]
        masked: dict[str, tuple[str, ...]] = {}
        known: set[str] = set()
        for mask in masks[tag["name"]]:
            through, limited = holders(services.masks.policy(mask.name), MASKED_READER)
            how = mask.expression or mask.routine
            left_out += [f"{member}, who reads it through {how} under a condition" for member in sorted(limited)]
            twice = through & known if mask.expression else through
            left_out += [f"{member}, who reads it through {how}" for member in sorted(twice)]
            if mask.expression and (kept := through - twice):
                masked[mask.expression] = tuple(sorted((*masked.get(mask.expression, ()), *kept)))
                known |= kept
        readers = Readers(str(tag.get("description", "")), tuple(sorted(clear)), masked, True, tuple(left_out))
        other = found.setdefault(name, readers)
        if (other.clear, other.masked) != (readers.clear, readers.masked):
            told = "tags of this name have other readers in another taxonomy: rename one, or give them the same"
            found[name] = Readers(other.description, (), {}, False, (told,))
    return found
