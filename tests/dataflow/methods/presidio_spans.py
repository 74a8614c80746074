"""What Presidio's pattern recognizers find: `python presidio_spans.py TEXTS.jsonl SPANS.jsonl`.

Runs in an environment of its own (`pip install presidio-analyzer`). A blank spaCy pipeline stands in for a language
model: no names, no context words.
"""

import json
import sys
import time
from pathlib import Path

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    EmailRecognizer,
    IpRecognizer,
    PhoneRecognizer,
    UrlRecognizer,
)

KINDS = {"EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE", "CREDIT_CARD": "CARD", "IP_ADDRESS": "IP", "URL": "QUERY"}


class Blank(SpacyNlpEngine):
    def __init__(self) -> None:
        super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
        self.nlp = {"en": spacy.blank("en")}

    def load(self) -> None:
        pass

    def is_loaded(self) -> bool:
        return True


def main(texts: Path, spans: Path) -> None:
    phone = PhoneRecognizer(supported_regions=("JP", "US", "GB", "DE"))
    recognizers = [EmailRecognizer(), phone, CreditCardRecognizer(), IpRecognizer(), UrlRecognizer()]
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=["en"])
    engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
    lines = [json.loads(line) for line in texts.read_text(encoding="utf-8").splitlines()]
    before = time.process_time()
    found = [
        [(result.start, result.end, KINDS[result.entity_type]) for result in engine.analyze(text, language="en")]
        for text in lines
    ]
    sys.stdout.write(f"{len(lines) / (time.process_time() - before):,.0f} texts a second of one core\n")
    spans.write_text("".join(f"{json.dumps(some)}\n" for some in found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
