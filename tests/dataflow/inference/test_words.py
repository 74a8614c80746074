"""Classifications by name."""

import pytest

from dataflow.inference.words import by_name, split


@pytest.mark.parametrize(
    ("path", "classification"),
    [
        ("email", "identifier"),
        ("userEmail", "identifier"),
        ("user.name", "identifier"),
        ("name", "identifier"),
        ("device.id", "identifier"),
        ("xUserId", "identifier"),
        ("denwa_bango", "identifier"),
        ("denwabangou", "identifier"),
        ("shimei", "identifier"),
        ("氏名", "identifier"),
        ("お電話番号", "identifier"),
        ("メールアドレス", "identifier"),
        ("住所", "location"),
        ("jusho", "location"),
        ("shippingAddress", "location"),
        ("address.line1", "location"),
        ("latitude", "location"),
        ("client_ip", "network"),
        ("card_number", "sensitive"),
        ("mynumber", "sensitive"),
        ("病名", "sensitive"),
        ("shukyo", "sensitive"),
        ("password", "sensitive"),
        ("comment", "free_text"),
        ("備考", "free_text"),
        ("http.referrer", "free_text"),
        ("seinengappi", "quasi_identifier"),
        ("gender", "quasi_identifier"),
        ("user_agent", "quasi_identifier"),
        ("event_type", "public"),
        ("http.status_code", "public"),
        ("page_name", "public"),
    ],
)
def test_known_names(path: str, classification: str) -> None:
    assert by_name(path).classification == classification


@pytest.mark.parametrize("path", ["foo", "zzz.qqq", "x", "_", "謎"])
def test_a_name_that_says_nothing_gets_the_strict_choice(path: str) -> None:
    guess = by_name(path)
    assert (guess.classification, guess.confidence) == ("quasi_identifier", 0.3)


@pytest.mark.parametrize("path", ["product_id", "cache_status", "order_count"])
def test_what_is_perhaps_public_is_not_called_so(path: str) -> None:
    guess = by_name(path)
    assert guess.classification == "quasi_identifier"
    assert guess.reason.endswith("but unsure; the strict choice")


@pytest.mark.parametrize(
    ("path", "kind"), [("last_login_at", "timestamp"), ("phone", "boolean"), ("comment", "number"), ("ip", "integer")]
)
def test_a_type_that_the_thing_cannot_have_makes_it_something_else(path: str, kind: str) -> None:
    assert by_name(path).classification != "quasi_identifier"
    assert by_name(path, kind).classification == "quasi_identifier"


@pytest.mark.parametrize(
    ("name", "words"),
    [("deviceModel", ["device", "model"]), ("HTTPStatus", ["http", "status"]), ("x-real_ip", ["x", "real", "ip"])],
)
def test_names_are_split_into_words(name: str, words: list[str]) -> None:
    assert split(name) == words
