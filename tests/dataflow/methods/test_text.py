"""What is scrubbed and what stays, and the figures that the README promises."""

import pytest

from dataflow.methods.text import Names, scrubbed
from tests.dataflow.methods.measure import found, half_of_the_names, judge, main
from tests.dataflow.methods.messages import STRUCTURED, Message, corpus


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("mail ana@example.com!", "mail <EMAIL>!"),
        ("ana (at) example.com", "<EMAIL>"),
        ("ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏｍです", "<EMAIL>です"),
        ("私は192.168.0.1です", "私は<IP>です"),
        ("via 2001:db8::1: ok", "via <IP>: ok"),
        ("at 10:30:15, std::vector", "at 10:30:15, std::vector"),
        ("https://a.jp/x?name=taro&t=1を見て", "https://a.jp/x?<QUERY>を見て"),
        ("https://a.jp/#access_token=x", "https://a.jp/?<QUERY>"),
        ("/search?q=taro", "/search?<QUERY>"),
        ("is it? yes #1", "is it? yes #1"),
        ("０９０ー１２３４ー５６７８まで", "<PHONE>まで"),
        ("TEL03(1234)5678", "TEL<PHONE>"),
        ("(415) 555-0123 x12", "<PHONE>"),
        ("＋８１－９０－１２３４－５６７８", "<PHONE>"),
        ("カード４１１１　１１１１　１１１１　１１１１", "カード<CARD>"),
        ("1234-5678-9018", "<MY_NUMBER>"),
        ("〒123-4567", "〒<NUMBER>"),
        ("2026-11-21", "<NUMBER>"),
        ("room 12, 3.50, v1.2.3", "room 12, 3.50, v1.2.3"),
        ("サーバーが３台", "サーバーが３台"),
        ("", ""),
    ],
)
def test_scrubbed(text: str, clean: str) -> None:
    assert scrubbed(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Smith and SMITH, not Smithson", "<NAME> and <NAME>, not Smithson"),
        ("山田 太郎さん、山田様", "<NAME>さん、<NAME>様"),
        ("ｓｍｉｔｈ", "<NAME>"),
    ],
)
def test_names_of_a_list(text: str, clean: str) -> None:
    from dataflow.methods.entities import STEPS

    assert scrubbed(text, (*STEPS, Names(("Smith", "山田", "太郎")).step)) == clean


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    return list(corpus(6000, seed=1))


def test_structured_entities_are_recalled(messages: list[Message]) -> None:
    kinds = judge(messages, [found(message) for message in messages])["kinds"]
    assert {kind: kinds[kind]["entities"] > 300 for kind in STRUCTURED} == dict.fromkeys(STRUCTURED, True)
    assert {kind: kinds[kind]["tagged"] for kind in STRUCTURED if kinds[kind]["tagged"] < 0.995} == {}
    assert {kind: kinds[kind]["removed"] for kind in STRUCTURED if kinds[kind]["removed"] < 0.995} == {}


def test_what_is_tagged_is_mostly_right(messages: list[Message]) -> None:
    """A parcel's 12 digits have a My Number's check digit once in eleven times."""
    kinds = judge(messages, [found(message) for message in messages])["kinds"]
    least = dict.fromkeys(STRUCTURED, 0.99) | {"MY_NUMBER": 0.9}
    assert {kind: kinds[kind]["precision"] for kind in STRUCTURED if kinds[kind]["precision"] < least[kind]} == {}


def test_names_are_found_by_a_list_only(messages: list[Message]) -> None:
    names = half_of_the_names(messages)
    assert judge(messages, [found(message) for message in messages])["kinds"]["NAME"]["removed"] == 0
    assert judge(messages, [found(message, names) for message in messages])["kinds"]["NAME"]["removed"] > 0.1


def test_a_miss_and_a_wrong_tag_are_counted() -> None:
    message = next(message for message in corpus(100, seed=1) if [e.kind for e in message.entities] == ["EMAIL"])
    entity = message.entities[0]
    wrong = judge([message], [[(entity.start, entity.end, "PHONE")]])["kinds"]
    assert (wrong["EMAIL"]["tagged"], wrong["EMAIL"]["removed"], wrong["PHONE"]["precision"]) == (0.0, 1.0, 0.0)
    short = judge([message], [[(entity.start + 1, entity.end, "EMAIL")]])["kinds"]["EMAIL"]
    assert (short["tagged"], short["removed"], short["precision"]) == (0.0, 0.0, 1.0)


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--count", "200"])
    out = capsys.readouterr().out
    assert out.startswith("| kind | entities | tagged | removed | spans | precision |\n")
    assert "texts a second of one core: ascii" in out
