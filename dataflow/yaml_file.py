"""YAML files that people write: read whole, or one sentence that says where they are none."""

from pathlib import Path
from typing import Any

import yaml

from dataflow.errors import NorenError


def read_yaml(path: Path, name: str) -> Any:
    """The document of `path`, None of an empty file. Raises NorenError about `name` when it is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise NorenError(f"{name}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise NorenError(f"{name}: cannot be read: it is no UTF-8 text.") from error
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> Any:
    """The document in `text`. Raises NorenError that calls the file `name` when it is none."""
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise NorenError(f"{name}: {no_yaml(error)}") from error


def no_yaml(error: yaml.YAMLError | ValueError) -> str:
    """What is wrong, and in which line where that is known. A ValueError is of a date such as 2024-13-45."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    told = " ".join(str(getattr(error, "problem", None) or getattr(error, "context", None) or error).split())
    return f"is no valid YAML: {told}, in line {mark.line + 1}." if mark else f"is no valid YAML: {told}."
