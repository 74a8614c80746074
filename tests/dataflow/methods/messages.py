"""A labelled corpus of Japanese and English messages: what a person types into a note, a review or a support form.

Values come from Faker, seeded; the disguises are those people really use: full-width characters, blanks, all kinds of
hyphens, brackets, country codes, no blank before or after. My Numbers get their check digit here, not from the code
under test. Every other message has no entity at all but what looks like one: dates, times, prices, versions,
sizes, and the numbers of parcels and orders.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from faker import Faker

STRUCTURED = ("EMAIL", "PHONE", "CARD", "MY_NUMBER", "IP", "QUERY")
PROSE = ("NAME", "ADDRESS")


@dataclass(frozen=True)
class Entity:
    """start, end: in characters of the text."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Message:
    language: str
    text: str
    entities: tuple[Entity, ...] = field(default=())


JAPANESE = (
    "連絡先は{}です。",
    "{}までお願いします",
    "登録した{}が使えません。",
    "昨日の件、{}に変更してください",
    "お世話になっております。{}の者です",
    "TEL{}",
    "【至急】{}を確認して！",
    "{}",
    "こちら→{}←です",
    "注文は2件、{}で届きましたが3日遅れました",
    "「{}」と{}の両方を消してください",
    "{}／{}",
    "宛先：{}、控え：{}",
)
ENGLISH = (
    "please use {} instead",
    "My details: {}.",
    "call or write, {}, thanks",
    "it says ({}) on the form",
    "{}",
    "Re: {} - not working since 10:30",
    "I ordered 2 items and gave {} at the desk",
    'he wrote "{}" twice',
    "old={} new={}",
    "either {} or {}, before 5pm",
    "contact:{}",
    "first {}\nthen {}",
)
CLEAN = {
    "ja": (
        "{date}の{time}に届きました。{price}円でした",
        "バージョン{version}にしたら落ちます",
        "サーバーが{small}台、{small}階にあります",
        "{word}{word}。{word}！",
        "部屋は{small}号室、定員{small}名です",
        "気温は{small}.{small}度でした",
        "第{small}回、{small}月{small}日開催",
        "解像度は{small}00x{small}00です",
        "伝票番号は{tracking}です",
        "注文{order}をキャンセル",
    ),
    "en": (
        "arrived on {date} at {time}, paid ${price}",
        "crashes since version {version}",
        "{word} {word} {word}.",
        "room {small}, floor {small}, seats {small}",
        "std::vector<int> x = {{{small}, {small}}}; // line {small}",
        "the answer is {small}.{small} %, is it not?",
        "see chapter {small}#notes or ask @support",
        "screen of {small}00 x {small}00",
        "the parcel {tracking} is lost",
        "cancel order {order}",
    ),
}

WIDE = {ord(character): ord(character) + 0xFEE0 for character in map(chr, range(0x21, 0x7F))}
HYPHENS = ("-", "-", "-", "－", "ー", "‐", "−", "–", " - ", "")


def corpus(count: int, seed: int) -> Iterator[Message]:
    """`count` messages, half of them in each language, half of them clean; the same for the same count and seed."""
    maker = _Maker(seed)
    for number in range(count):
        language = ("ja", "en")[number % 2]
        yield maker.clean(language) if number % 4 >= 2 else maker.message(language)


class _Maker:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.fake = {"ja": Faker("ja_JP"), "en": Faker("en_US"), "gb": Faker("en_GB")}
        for fake in self.fake.values():
            fake.seed_instance(seed)

    def message(self, language: str) -> Message:
        template = self.random.choice(JAPANESE if language == "ja" else ENGLISH)
        text, entities = "", []
        for number, piece in enumerate(template.split("{}")):
            if number:
                kind = self.random.choice((*STRUCTURED, *STRUCTURED, *PROSE))
                before, value = self.value(kind, language)
                start = len(text) + len(before)
                text += before + value
                entities.append(Entity(kind, start, start + len(value)))
            text += piece
        return Message(language, text, tuple(entities))

    def clean(self, language: str) -> Message:
        draw = self.random
        text = draw.choice(CLEAN[language])
        while "{" in text.replace("{{", ""):
            start = text.index("{", text.index("{{") + 2 if "{{" in text else 0)
            end = text.index("}", start)
            fill = {
                "date": draw.choice(("2024/1/15", "1月15日", "15 Jan", "Jan 15, 2024")),
                "time": f"{draw.randrange(24)}:{draw.randrange(60):02d}",
                "price": f"{draw.randrange(1, 99_000):,}",
                "version": ".".join(str(draw.randrange(20)) for _ in range(3)),
                "small": str(draw.randrange(1, 40)),
                "order": str(draw.randrange(10**5, 10**8)),
                "tracking": self.grouped(str(draw.randrange(10**11, 10**12)), (4, 4, 4)),  # 12 digits, as parcels have
                "word": self.fake[language].word(),
            }[text[start + 1 : end]]
            text = text[:start] + fill + text[end + 1 :]
        return Message(language, text.replace("{{", "{").replace("}}", "}"))

    def value(self, kind: str, language: str) -> tuple[str, str]:
        """(what stands before it and is no part of it, the value)"""
        fake = self.fake[language]
        match kind:
            case "EMAIL":
                return "", self.email(fake)
            case "PHONE":
                return "", self.phone(language)
            case "CARD":
                brand = self.random.choice(("visa16", "mastercard", "amex", "jcb16", "diners", "discover", "visa13"))
                return "", self.grouped(fake.credit_card_number(brand), (4, 4, 4, 4))
            case "MY_NUMBER":
                return "", self.grouped(my_number(self.random), (4, 4, 4))
            case "IP":
                address = fake.ipv4() if self.random.random() < 0.6 else self.v6(fake)
                return "", self.wide(address, 0.1)
            case "QUERY":
                return f"https://{fake.domain_name()}/{fake.uri_path()}?", self.query(fake)
            case "NAME":
                return "", fake.name()
        return "", fake.address().replace("\n", ", ")

    def email(self, fake: Faker) -> str:
        address = fake.email()
        draw = self.random.random()
        if draw < 0.1:
            return address.replace("@", "＠")
        if draw < 0.15:
            return address.replace("@", self.random.choice((" (at) ", "[at]", "(at)")))
        return address.upper() if draw < 0.2 else self.wide(address, 0.1)

    def v6(self, fake: Faker) -> str:
        address = fake.ipv6()
        if self.random.random() < 0.5:
            head = address.split(":")[: self.random.randrange(1, 4)]
            return f"{':'.join(head)}::{self.random.randrange(1, 0xFFFF):x}"
        return address

    def query(self, fake: Faker) -> str:
        parts = (
            f"q={fake.user_name()}",
            f"mail={fake.user_name()}%40{fake.domain_name()}",
            f"id={fake.pyint()}",
            "a=1",
        )
        return "&".join(self.random.sample(parts, self.random.randrange(1, 4)))

    def phone(self, language: str) -> str:
        draw = self.random
        if language == "en":
            number = draw.choice((self.fake["en"].phone_number, self.fake["gb"].phone_number))()
            return self.wide(number, 0.05)
        area = draw.choice(("090", "080", "070", "050", "03", "06", "045", "052", "0466", "0120", "0985"))
        digits = area + "".join(
            draw.choices("0123456789", k=(11 if area in ("090", "080", "070", "050") else 10) - len(area))
        )
        middle = -4 if not area.startswith("0120") else -3
        parts = [area, digits[len(area) : middle], digits[middle:]]
        hyphen = draw.choice((*HYPHENS, " ", "　", "."))
        draws = draw.random()
        if draws < 0.15:
            return self.wide(f"{parts[0]}({parts[1]}){parts[2]}", 0.3)
        if draws < 0.25:
            return self.wide(f"({parts[0]}){parts[1]}{hyphen}{parts[2]}", 0.3)
        if draws < 0.5:
            code = draw.choice(("+81", "+81 ", "+81-", "+81(0)", "0081-", "81-", "＋８１－"))
            return self.wide(code + hyphen.join([parts[0][1:], *parts[1:]]), 0.3)
        return self.wide(hyphen.join(parts), 0.3)

    def grouped(self, digits: str, sizes: tuple[int, ...]) -> str:
        if len(digits) == 15:
            sizes = (4, 6, 5)
        elif len(digits) == 14:
            sizes = (4, 6, 4)
        elif sum(sizes) != len(digits):
            sizes = (len(digits),)
        parts, rest = [], digits
        for size in sizes:
            parts.append(rest[:size])
            rest = rest[size:]
        return self.wide(self.random.choice((*HYPHENS, " ", "　", ".")).join(parts), 0.3)

    def wide(self, text: str, chance: float) -> str:
        """Full-width, by chance."""
        return text.translate(WIDE) if self.random.random() < chance else text


def my_number(draw: random.Random) -> str:
    """12 digits, the last a check digit: 11 less the remainder by 11 of the sum of P_n Q_n, 0 where it is above 9.

    P_n is the n-th digit from the right of the first eleven, Q_n is n + 1 up to 6 and n - 5 from 7 on."""
    first = [draw.randrange(10) for _ in range(11)]
    total = sum(digit * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(first), start=1))
    check = 11 - total % 11
    return "".join(map(str, [*first, 0 if check > 9 else check]))
