"""People by datasets: who has which right on which dataset, as text and as a page."""

from dataclasses import dataclass
from html import escape

from iam.engine import Access, Right, World
from iam.explain.people import Alike, members

LETTERS = {Right.OWN: "O", Right.WRITE: "W", Right.READ: "R", Right.METADATA: "M"}
"""The highest right that one has, as a letter."""
LEGEND = "O owns, W writes, R reads, M sees names and schemas; rights on whole datasets, by grants and by the project."

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Who has access</title><style>
body{{font:14px system-ui,sans-serif;margin:2rem}} table{{border-collapse:collapse}}
th,td{{border:1px solid #ddd;padding:.2rem .4rem;text-align:center}} th:first-child,td:first-child{{text-align:left}}
thead th{{position:sticky;top:0;background:#fff;writing-mode:vertical-rl;transform:rotate(180deg)}}
thead th:first-child{{writing-mode:initial;transform:none}}
.O{{background:#f4b6b6}}.W{{background:#f9d9a8}}.R{{background:#cfe8cf}}.M{{background:#eee}}
</style></head><body><h1>Who has access</h1><p>{legend} {certainty}</p>
<table><thead><tr><th>member</th>{head}</tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


@dataclass(frozen=True)
class Matrix:
    """datasets: the columns. rows: member -> letter for each of them, empty for none. proved: project IAM is known."""

    datasets: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]
    proved: bool

    @property
    def certainty(self) -> str:
        return "Proved." if self.proved else "As far as iam/ tells: project IAM was not imported."

    def text(self) -> str:
        """A column a dataset, numbered below the table where names are long."""
        width = max((len(member) for member in self.rows), default=6)
        marks = [f"{number + 1:>3}" for number in range(len(self.datasets))]
        lines = [f"{'member':<{width}} {' '.join(marks)}"]
        lines += [
            f"{member:<{width}} {' '.join(f'{letter or ".":>3}' for letter in letters)}"
            for member, letters in self.rows.items()
        ]
        lines += ["", *(f"{mark} {dataset}" for mark, dataset in zip(marks, self.datasets, strict=True))]
        return "\n".join((*lines, "", LEGEND, self.certainty))

    def html(self) -> str:
        head = "".join(f"<th>{escape(dataset)}</th>" for dataset in self.datasets)
        rows = "\n".join(
            f"<tr><td>{escape(member)}</td>"
            + "".join(f'<td class="{letter}">{letter}</td>' if letter else "<td></td>" for letter in letters)
            + "</tr>"
            for member, letters in self.rows.items()
        )
        return PAGE.format(legend=escape(LEGEND), certainty=escape(self.certainty), head=head, rows=rows)

    def as_json(self) -> dict[str, object]:
        people = {
            member: {dataset: letter for dataset, letter in zip(self.datasets, letters, strict=True) if letter}
            for member, letters in self.rows.items()
        }
        return {"proved": self.proved, "members": people}


def matrix(world: World) -> Matrix:
    """Every member who has anything, by every dataset."""
    access, everybody, datasets = Access(world), members(world), sorted(world.datasets)
    columns: list[dict[str, str]] = []
    for dataset in datasets:
        alike, letters, column = Alike(world, [dataset]), dict[frozenset[str], str](), dict[str, str]()
        for member in everybody:
            mark = alike.mark(member)
            if mark not in letters:
                rights = access.rights(member, dataset)
                letters[mark] = next((letter for right, letter in LETTERS.items() if right in rights), "")
            column[member] = letters[mark]
        columns.append(column)
    rows = {member: tuple(column[member] for column in columns) for member in everybody}
    seen = {member: letters for member, letters in rows.items() if any(letters)}
    names = tuple(dataset.dataset for dataset in datasets)
    return Matrix(names, seen, {dataset.project for dataset in datasets} <= world.imported)
