"""Shapes of values. All personal-looking values here are made up or reserved for examples."""

import pytest

from dataflow.inference.shapes import Shape, integer_shapes, shapes


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("9b2d7c1e-6c0f-4a53-9f3e-1f0a3f1b2c3d", Shape.UUID),
        ("2024-01-15T10:30:00Z", Shape.TIMESTAMP),
        ("2024-01-15 10:30:00.123+09:00", Shape.TIMESTAMP),
        ("2024-01-15T10:30:00", Shape.LOCAL_TIME),
        ("2024-01-15", Shape.DATE),
        ("taro@example.jp", Shape.EMAIL),
        ("write to taro@example.jp", Shape.HAS_EMAIL),
        ("090-1234-5678", Shape.PHONE),
        ("+81 90 1234 5678", Shape.PHONE),
        ("4111 1111 1111 1111", Shape.CARD),
        ("1234-5678-9018", Shape.MY_NUMBER),
        ("203.0.113.7", Shape.IP),
        ("2001:db8::1", Shape.IP),
        ("00:00:5e:00:53:01", Shape.MAC),
        ("https://example.com/a?b=c", Shape.URL),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)", Shape.USER_AGENT),
        ("please call me back at home", Shape.PROSE),
        ("駅の近くで会いましょう。改札にいます", Shape.PROSE),
        ("a94a8fe5ccb19ba61c4c0873d391e987", Shape.HEX),
        ("35.6812,139.7671", Shape.COORDINATES),
        ("page_view", Shape.CODE),
        ("0120", Shape.DIGITS),
        ("  ", Shape.EMPTY),
    ],
)
def test_a_text_has_its_shape(text: str, shape: Shape) -> None:
    assert shape in shapes(text)


@pytest.mark.parametrize("text", ["4111 1111 1111 1112", "1234-5678-9012", "1111 1111 1111 1111", "999.0.0.1", "12:30"])
def test_what_fails_its_check_is_not_the_thing(text: str) -> None:
    assert not {Shape.CARD, Shape.MY_NUMBER, Shape.IP} & set(shapes(text))


def test_long_integers_are_times_or_cards() -> None:
    assert list(integer_shapes(1_700_000_000)) == [Shape.EPOCH]
    assert list(integer_shapes(1_700_000_000_000)) == [Shape.EPOCH]
    assert list(integer_shapes(4111111111111111)) == [Shape.CARD]
