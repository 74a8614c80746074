"""Presidio: its e-mail and telephone recognizers without a language model; the rest as in the tuned loop."""

import json

import tldextract
from presidio_analyzer.predefined_recognizers import EmailRecognizer, PhoneRecognizer

from scripts.bench.peers.programs.scrubbed import work
from scripts.bench.peers.programs.timing import answer, arguments, differing

tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())  # the list in the package: nothing is fetched
TAGS = {"EMAIL_ADDRESS": "<EMAIL>", "PHONE_NUMBER": "<PHONE>"}


def main() -> None:
    _, events, _ = arguments()
    recognizers = (EmailRecognizer(), PhoneRecognizer(supported_regions=("US",)))

    def scrub(text: str) -> str:
        found = [hit for one in recognizers for hit in one.analyze(text, one.supported_entities, None) or ()]
        for hit in sorted(found, key=lambda hit: -hit.start):
            text = text[: hit.start] + TAGS[hit.entity_type] + text[hit.end :]
        return text

    def run() -> None:
        for event in events:
            work(event, scrub)

    answer(len(events), run, differing(events, (json.loads(work(event, scrub)[1]) for event in events)))


main()
