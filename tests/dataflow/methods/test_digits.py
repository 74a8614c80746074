import pytest

from dataflow.methods.digits import CARD, MY_NUMBER, NUMBER, PHONE, is_card, is_my_number, luhn, parts


@pytest.mark.parametrize(
    "digits", ["4111111111111111", "5555555555554444", "378282246310005", "30569309025904", "3530111333300000"]
)
def test_the_networks_test_cards_are_cards(digits: str) -> None:
    assert is_card(digits)


@pytest.mark.parametrize("digits", ["4111111111111112", "9111111111111111", "411111111111111", "0000000000000000"])
def test_other_digits_are_no_card(digits: str) -> None:
    assert not is_card(digits)


def test_luhns_own_example() -> None:
    assert luhn("79927398713")
    assert not luhn("79927398710")


@pytest.mark.parametrize("digits", ["123456789018", "000000000000"])
def test_a_right_check_digit_is_a_my_number(digits: str) -> None:
    assert is_my_number(digits)


def test_one_wrong_digit_is_always_noticed_but_where_the_check_digit_is_0() -> None:
    good = "123456789018"
    for place in range(12):
        for digit in "0123456789":
            changed = good[:place] + digit + good[place + 1 :]
            assert is_my_number(changed) == (changed == good)


@pytest.mark.parametrize("digits", ["12345678901", "1234567890188", ""])
def test_a_my_number_has_12_digits(digits: str) -> None:
    assert not is_my_number(digits)


@pytest.mark.parametrize(
    ("run", "found"),
    [
        ("4111 1111 1111 1111", [("4111 1111 1111 1111", CARD)]),
        ("2 4111-1111-1111-1111 123", [("4111-1111-1111-1111", CARD)]),
        ("1234 5678 9018", [("1234 5678 9018", MY_NUMBER)]),
        ("1234 5678 9012", [("1234 5678 9012", NUMBER)]),
        ("+81 90-1234-5678", [("+81 90-1234-5678", PHONE)]),
        ("+81 (0)90-1234-5678", [("+81 (0)90-1234-5678", PHONE)]),
        ("0081-3-1234-5678", [("0081-3-1234-5678", PHONE)]),
        ("819012345678", [("819012345678", PHONE)]),
        ("2026-11-21 090-1234-5678", [("090-1234-5678", PHONE)]),
        ("090-1234-5678 03-1234-5678", [("090-1234-5678", PHONE), ("03-1234-5678", PHONE)]),
        ("090-1234-5678 4111 1111 1111 1111", [("090-1234-5678", PHONE), ("4111 1111 1111 1111", CARD)]),
        ("99999999999999999999", [("99999999999999999999", NUMBER)]),
        ("2026-11-21 2026-11-22", []),
        ("12 34 56 78 90 12", [("12 34 56 78 90 12", NUMBER)]),
    ],
)
def test_parts_of_a_long_run(run: str, found: list[tuple[str, str]]) -> None:
    assert [(run[start:end], tag) for start, end, tag in parts(run)] == found
