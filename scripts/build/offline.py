"""dbt's manifest, made without a connection: for who only wants to know what the models say.

dbt works on a copy, so nothing beside the models is written and the sources file is that of the contracts as they are.
`--no-introspect` refuses what would ask the warehouse. What is parsed once is not parsed again to be compiled.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError
from dataflow.project import Project
from dataflow.schemas import dbt as sources
from scripts.build.process import prepared

NOBODY = "http://127.0.0.1:9"
"""Where nothing answers: an attempt to connect fails at once."""

INCREMENTAL = "{{% macro is_incremental() %}}{{{{ return({later}) }}}}{{% endmacro %}}\n"
"""dbt's own asks the warehouse. A second run has SQL that the first has not, so both are rendered."""
ADDED = "noren_is_incremental.sql"

PARTIAL = "partial_parse.msgpack"
"""dbt's parse cache, kept from one copy to the next."""


def parsed(project: Project, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """The manifest without compiled SQL: the relations, and what refers to what.

    Raises NorenError with dbt's words when the project cannot be parsed.
    """
    say("dbt parses the models")
    return _rendered(project, "parse")


def compiled(
    project: Project, say: Callable[[str], None] = lambda _: None
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The manifest, and the one of the second run where a model asks for `is_incremental()`.

    Raises NorenError with dbt's words when the project cannot be compiled.
    """
    say("dbt compiles the models")
    first = _rendered(project, "compile")
    if not _asks(first):
        return first, None
    say("dbt compiles the models as they are on a second run")
    return first, _rendered(project, "compile", later=True)


def _asks(manifest: dict[str, Any]) -> bool:
    """Whether a model, or a macro that is not dbt's, asks for the second run."""
    own = (macro for macro in manifest["macros"].values() if macro["package_name"] not in ("dbt", "dbt_bigquery"))
    texts = [node.get("raw_code") or "" for node in manifest["nodes"].values()]
    texts += [macro["macro_sql"] for macro in own if not macro["original_file_path"].endswith(ADDED)]
    return any("is_incremental" in text for text in texts)


def _rendered(project: Project, verb: str, *, later: bool = False) -> dict[str, Any]:
    project.state.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dbt-", dir=project.state) as directory:
        copy, target = Path(directory, "copy"), Path(directory, "target")
        ignored = shutil.ignore_patterns(".noren", "target", "logs")
        shutil.copytree(project.dbt, copy / "dbt", ignore=ignored)
        for path, text in sources.files(project).items():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_text(text, "utf-8")
        (copy / "dbt" / "macros").mkdir(exist_ok=True)
        macro = INCREMENTAL.format(later=str(later).lower())
        (copy / "dbt" / "macros" / ADDED).write_text(macro, "utf-8")
        kept = project.state / "cache" / "dbt" / f"{'later' if later else 'first'}.{PARTIAL}"
        target.mkdir()
        if kept.is_file():
            shutil.copy(kept, target / PARTIAL)
        manifest = _run(verb, copy, target, project.id)
        if (target / PARTIAL).is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            (target / PARTIAL).replace(kept)
        return manifest


def _run(verb: str, copy: Path, target: Path, project_id: str) -> dict[str, Any]:
    arguments = [
        *("--quiet", "--no-use-colors", "--no-version-check", "--no-send-anonymous-usage-stats"),
        *("--log-path", str(target / "logs")),
        *([verb, "--no-introspect", "--no-populate-cache"] if verb == "compile" else [verb]),
        *("--project-dir", str(copy / "dbt"), "--profiles-dir", str(copy / "dbt")),
        *("--target", "local", "--target-path", str(target)),
    ]
    environment = {
        "NOREN_PROJECT": project_id,
        "NOREN_BIGQUERY": NOBODY,
        "DBT_ENV_SECRET_NOREN_TOKEN": "none",  # a name for no token
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    with prepared() as dbt:
        result = dbt.run(arguments, environment)
    if result.exit_code or not (target / "manifest.json").is_file():
        failed = next((f"{node.name}: {node.message}" for node in result.nodes if node.failed), "")
        words = " ".join((result.error or failed or "it says nothing").split())
        raise NorenError(f"dbt cannot {verb} the models: {words.replace(str(copy), '').lstrip('/')}")
    manifest: dict[str, Any] = json.loads((target / "manifest.json").read_text("utf-8"))
    return manifest
