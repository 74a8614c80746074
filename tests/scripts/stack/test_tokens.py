import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from scripts.stack.tokens import AUDIENCE, ISSUER, InvalidTokenError, Tokens


def test_a_token_names_who_it_is_for(tmp_path):
    assert Tokens(tmp_path).verify(Tokens(tmp_path).issue("Ana@Example.com")) == "ana@example.com"


def test_the_key_is_its_owners_alone(tmp_path):
    Tokens(tmp_path).issue("ana@example.com")
    [key] = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(bytes.fromhex(key.read_text())) == 32


def test_a_token_ends(tmp_path):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with pytest.raises(InvalidTokenError, match="ExpiredSignatureError"):
        Tokens(tmp_path).verify(Tokens(tmp_path).issue("ana@example.com", timedelta(hours=1), yesterday))


def test_a_token_of_another_stack_is_none_here(tmp_path):
    with pytest.raises(InvalidTokenError, match="InvalidSignatureError"):
        Tokens(tmp_path / "b").verify(Tokens(tmp_path / "a").issue("ana@example.com"))


def claims(**changes: object) -> dict[str, object]:
    now = datetime.now(UTC)
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "a@x.com", "iat": now, "exp": now + timedelta(hours=1), **changes}


@pytest.mark.parametrize(
    "changed",
    [{"iss": "other"}, {"aud": "other"}, {"sub": None}, {"exp": None}, {"iat": None}],
    ids=lambda c: next(iter(c)),
)
def test_a_token_that_lacks_a_claim_or_is_for_something_else_is_none(tmp_path, changed):
    tokens = Tokens(tmp_path)
    tokens.issue("a@x.com")
    key = bytes.fromhex(next((tmp_path / "keys").iterdir()).read_text())
    content = {name: value for name, value in claims(**changed).items() if value is not None}
    with pytest.raises(InvalidTokenError):
        tokens.verify(jwt.encode(content, key, "HS256"))
    assert tokens.verify(jwt.encode(claims(), key, "HS256")) == "a@x.com"


def test_an_unsigned_token_is_none(tmp_path):
    with pytest.raises(InvalidTokenError):
        Tokens(tmp_path).verify(jwt.encode(claims(), None, "none"))


def test_an_error_does_not_hold_the_token(tmp_path):
    token = Tokens(tmp_path / "a").issue("ana@example.com")
    with pytest.raises(InvalidTokenError) as refused:
        Tokens(tmp_path / "b").verify(token)
    assert str(refused.value) == "InvalidSignatureError"
    assert refused.value.__cause__ is None


def test_many_that_make_the_key_at_once_have_one(tmp_path: Path):
    issued: list[str] = []
    threads = [threading.Thread(target=lambda: issued.append(Tokens(tmp_path).issue("a@x.com"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [Tokens(tmp_path).verify(token) for token in issued] == ["a@x.com"] * 8
    assert len(list((tmp_path / "keys").iterdir())) == 1
