"""Secrets by reference: a password is never an argument, never in a file that is reviewed, never in a repr."""

from pathlib import Path
from typing import NoReturn

from dataflow.errors import NorenError


class Secret:
    """A secret text; it shows itself only to who asks for it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        return self.__value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")


def read_secret(reference: str) -> Secret:
    """The secret that `file:<path>` names, without the line end. Raises NorenError, which quotes no secret."""
    kind, _, place = reference.partition(":")
    if kind != "file" or not place:
        raise NorenError("a secret is given by reference, as in file:/run/secrets/database; never by itself.")
    try:
        return Secret(Path(place).read_text(encoding="utf-8").rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise NorenError(f"{reference}: the secret cannot be read: {type(error).__name__}.") from error
