"""The lineage as one HTML file: no network, no library; readable for thousands of views because it shows what is asked.

Names of columns, methods and files; never SQL, never a value.
"""

import json
from pathlib import Path
from typing import Any

from iam.lineage.sensitivity import Sensitivity, highest
from iam.lineage.trace import Lineage
from iam.lineage.value import source

TEMPLATE = Path(__file__).with_name("page.html")
MARK = "/*DATA*/"


def page(lineage: Lineage) -> str:
    """The file's text."""
    text = json.dumps(content(lineage), separators=(",", ":"), ensure_ascii=False)
    # in a <script> element nothing but "</" and "<!--" could end the data
    return TEMPLATE.read_text("utf-8").replace(MARK, text.replace("<", "\\u003c"))


def content(lineage: Lineage) -> dict[str, Any]:
    """Tables as objects of name, kind, file, description, fault, columns and influences. A column is a list of path,
    sensitivity, sources as (table, column, passage), and origin. Numbers are places in the lists."""
    words = list(Sensitivity)
    relations = [*sorted(lineage.tables), *lineage.relations()]
    known = {relation: number for number, relation in enumerate(relations)}
    paths = {relation: list(lineage.columns(relation)) for relation in relations}
    places = {
        source(relation, path): (known[relation], number)
        for relation, names in paths.items()
        for number, path in enumerate(names)
    }
    tables = []
    for relation in relations:
        model = lineage.models.get(relation)
        columns = lineage.columns(relation)
        leaves = lineage.leaves(relation)
        tables.append(
            {
                "n": relation.partition(".")[2],
                "k": model.kind if model and relation in lineage.flows else "table",
                "f": model.file if model else "",
                "d": model.description.strip() if model else "",
                "x": lineage.faults.get(relation, ""),
                "s": words.index(highest(*columns.values())),
                "c": [
                    [
                        path,
                        words.index(told),
                        [[*places[name], int(how)] for name, how in leaves.get(path, {}).items() if name in places],
                        str(lineage.begins[source(relation, path)]) if source(relation, path) in lineage.begins else "",
                    ]
                    for path, told in columns.items()
                ],
                "i": [
                    [*places[name], ", ".join(hows)]
                    for name, hows in lineage.influences(relation).items()
                    if name in places
                ],
            }
        )
    return {"project": lineage.project, "words": words, "tables": tables}
