"""Lines put into a YAML text by hand, so that comments, order and quoting around them stay as somebody wrote them.

A round trip through a parser, ruamel's too, folds lines anew and moves comments; a reviewer sees only what was added.
"""

import yaml

from dataflow.errors import NorenError
from dataflow.review.located import Place


def node_at(root: yaml.Node | None, place: Place) -> yaml.Node | None:
    """The node at a place, or None."""
    for key in place:
        if isinstance(root, yaml.MappingNode):
            root = next((value for name, value in root.value if name.value == key), None)
        elif isinstance(root, yaml.SequenceNode) and isinstance(key, int) and key < len(root.value):
            root = root.value[key]
        else:
            return None
    return root


def appended(text: str, collection: yaml.Node, lines: list[str], where: str) -> str:
    """The text with lines after the last entry of a block sequence or mapping.

    lines: without the collection's indentation. where: names the collection in the complaint.
    Raises NorenError when the collection is written in one line, as in [a, b].
    """
    assert isinstance(collection, yaml.CollectionNode)
    if collection.flow_style:
        raise NorenError(f"{where}: is written in brackets; write one entry a line, then a field can be added.")
    indent = " " * collection.start_mark.column
    have = text.splitlines(keepends=True)
    last = _last_line(collection)
    if have and not have[last].endswith("\n"):
        have[last] += "\n"
    have[last + 1 : last + 1] = [f"{indent}{line}\n" for line in lines]
    return "".join(have)


def _last_line(node: yaml.Node) -> int:
    """The line, from 0, that a node's last character stands on. A block's own end mark is behind what follows it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    mark = node.end_mark
    return mark.line - 1 if mark.column == 0 and mark.line > node.start_mark.line else mark.line
