"""policy_tags.json onto live tags: who reads their columns in clear, and who through which mask.

A tag is found by its display name, in every taxonomy of the layers' locations; one that is in none is told and left to
who makes taxonomies. A mask that is missing is made. None is deleted: without readers it opens nothing. One that masks
by a routine has no word in the file and is left as it is; its readers are drift.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from iam.drift import Drift
from iam.engine.rights import FINE_GRAINED_READER, MASKED_READER
from iam.files import AccessFiles, PolicyTag
from iam.plan import Change
from iam.tags.bindings import compared, differences, reconcile
from iam.tags.catalog import PolicyTags
from iam.tags.data_policies import DataPolicies, Mask


@dataclass(frozen=True)
class TagServices:
    """Where policy tags and their masks live."""

    tags: PolicyTags
    masks: DataPolicies


@dataclass(frozen=True)
class _Tag:
    """One live tag. stated: what the file says of its name. masks: its own."""

    resource: str
    stated: PolicyTag
    masks: tuple[Mask, ...]

    @property
    def where(self) -> str:
        return _where(self.stated.name)

    @property
    def readers(self) -> Mapping[str, tuple[str, ...]]:
        """Masking expression -> who is to read through it."""
        masked = self.stated.masked
        return {
            expression: tuple(sorted(member for member, mask in masked.items() if mask == expression))
            for expression in sorted(set(masked.values()))
        }

    @property
    def unmade(self) -> list[str]:
        """Expressions with readers and without a mask."""
        return sorted(self.readers.keys() - {mask.expression for mask in self.masks})


def apply_tags(
    services: TagServices,
    files: AccessFiles,
    *,
    dry_run: bool = False,
    intended: Callable[[Change], None] = lambda _: None,
) -> list[Change]:
    """Make the readers of every policy tag what policy_tags.json says; of all tags of that name, in any taxonomy.

    intended: is given each change before it is made. Masks that nobody is to have any more lose their readers first:
    in between less is seen, never more.
    Raises NorenError when a service refuses, or other writers win too often.
    """
    live = _live(services, files)
    missing = "no taxonomy of the project has it, make it there and run this again"
    done = [Change(_where(name), "skip", "its readers", missing) for name in files.policy_tags if name not in live]
    for tag in (tag for tags in live.values() for tag in tags):
        told = partial(_told, tag, "")
        arguments = (FINE_GRAINED_READER, tag.stated.readers, told, intended)
        done += reconcile(services.tags, tag.resource, *arguments, dry_run=dry_run)
        done += _apply_masks(services.masks, tag, intended, dry_run)
    return done


def drift_of_tags(services: TagServices, files: AccessFiles) -> Iterator[Drift]:
    """Every difference between the files and live tags; members under a condition are outside of the files, too."""
    live = _live(services, files)
    yield from (Drift(_where(name), "no tag") for name in files.policy_tags if name not in live)
    for tag in (tag for tags in live.values() for tag in tags):
        readers = differences(services.tags.policy(tag.resource), FINE_GRAINED_READER, tag.stated.readers)
        yield from (Drift(tag.where, kind, member) for kind, member in readers)
        for mask in tag.masks:
            wanted = tag.readers.get(mask.expression, ())
            found = differences(services.masks.policy(mask.name), MASKED_READER, wanted)
            how = mask.expression or mask.routine
            yield from (Drift(tag.where, kind, f"{member} through {how}") for kind, member in found)
        for expression in tag.unmade:
            missing = (f"{member} through {expression}" for member in tag.readers[expression])
            yield from (Drift(tag.where, "missing", what) for what in missing)


def _apply_masks(masks: DataPolicies, tag: _Tag, intended: Callable[[Change], None], dry_run: bool) -> Iterator[Change]:
    wanted = tag.readers
    for mask in sorted(tag.masks, key=lambda mask: mask.expression in wanted):
        if mask.expression:
            told, readers = partial(_told, tag, mask.expression), wanted.get(mask.expression, ())
            yield from reconcile(masks, mask.name, MASKED_READER, readers, told, intended, dry_run=dry_run)
    for expression in tag.unmade:
        told, readers = partial(_told, tag, expression), wanted[expression]
        if dry_run:
            yield from compared((), readers, told)
        else:
            made = masks.make(tag.resource, tag.stated.name, expression)
            yield from reconcile(masks, made, MASKED_READER, readers, told, intended, dry_run=False)


def _live(services: TagServices, files: AccessFiles) -> dict[str, list[_Tag]]:
    """Display name -> the live tags of that name, of the names in the file; no service is asked when it has none."""
    if not files.policy_tags:
        return {}
    named = services.tags.named(files.project, (layer.location for layer in files.layers))
    named = {name: resources for name, resources in named.items() if name in files.policy_tags}
    masks = services.masks.of(resource for resources in named.values() for resource in resources)
    return {
        name: [_Tag(resource, files.policy_tags[name], tuple(masks[resource])) for resource in resources]
        for name, resources in named.items()
    }


def _where(name: str) -> str:
    return f"policy tag {name}"


def _told(tag: _Tag, expression: str, action: str, member: str) -> Change:
    return Change(tag.where, action, f"reader {member}" + (f" through {expression}" if expression else ""))
