"""scrubadub: e-mail addresses and telephone numbers; the rest as in the tuned loop."""

import json

import scrubadub

from scripts.bench.peers.programs.scrubbed import work
from scripts.bench.peers.programs.timing import answer, arguments, differing


def main() -> None:
    _, events, _ = arguments()
    detectors = [scrubadub.detectors.EmailDetector(), scrubadub.detectors.PhoneDetector()]
    scrubber = scrubadub.Scrubber(detector_list=detectors)

    def scrub(text: str) -> str:
        return scrubber.clean(text).replace("{{", "<").replace("}}", ">")

    def run() -> None:
        for event in events:
            work(event, scrub)

    answer(len(events), run, differing(events, (json.loads(work(event, scrub)[1]) for event in events)))


main()
