"""Caller tokens: the stack says who somebody is, in a short-lived token that it signed itself.

In the cloud Google does this. Locally there is no password to check, so a token says "the owner of this stack let me be
ana@example.com"; whoever can read the key file, mode 0600, can make one for anybody.
"""

import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

ALGORITHM = "HS256"
ISSUER = "noren-stack"
AUDIENCE = "noren-gateway"
LIFETIME = timedelta(hours=12)
KEY_BYTES = 32


class InvalidTokenError(Exception):
    """The token was not signed by this stack, is for something else, or is over. Its text never holds the token."""


class Tokens:
    """Issues and verifies the tokens of one stack.

    home: the stack's home; the key lies in `keys/callers.key` there (mode 0600) and is made on first use.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "keys" / "callers.key"

    def issue(self, email: str, lifetime: timedelta = LIFETIME, now: datetime | None = None) -> str:
        """A token for a person or service account. email: its subject, in lower case."""
        begin = now or datetime.now(UTC)
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": email.lower(), "iat": begin, "exp": begin + lifetime}
        return jwt.encode(claims, self._key(), algorithm=ALGORITHM)

    def verify(self, token: str) -> str:
        """The e-mail address that a token is for. Raises InvalidTokenError."""
        required = ["iss", "aud", "sub", "iat", "exp"]
        try:
            claims = jwt.decode(
                token, self._key(), [ALGORITHM], {"require": required}, audience=AUDIENCE, issuer=ISSUER
            )
        except jwt.PyJWTError as error:
            raise InvalidTokenError(type(error).__name__) from None
        return str(claims["sub"]).lower()

    def _key(self) -> bytes:
        if not self._path.exists():
            self._make()
        return bytes.fromhex(self._path.read_text())

    def _make(self) -> None:
        """Make the key; of two processes that do so at once, one wins and both use its key."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(KEY_BYTES))
        try:
            os.link(fresh, self._path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
