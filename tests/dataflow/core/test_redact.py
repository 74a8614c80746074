"""The shape of a refused payload: declared names and types, or nothing."""

import pytest

from dataflow.contract import Contract
from dataflow.core.redact import MOST_BYTES, redacted


@pytest.mark.parametrize(
    ("payload", "shape"),
    [
        (b"{}", "{}"),
        (b'"ana"', '"string"'),
        (b"[1, 2]", '"array"'),
        (b"null", '"null"'),
        (b'{"user_id": null, "event_id": true}', '{"event_id":"boolean","user_id":"null"}'),
        (b'{"device": {"type": "ios", "owner": "ana"}}', '{"device":{"type":"string","<undeclared>":1}}'),
        (b'{"device": "ana"}', '{"device":"string"}'),
        (b'{"user_id": {"ana": 1}}', '{"user_id":"object"}'),
        (b'{"ana": 1, "bo": {"user_id": 2}}', '{"<undeclared>":2}'),
        (
            b'{"location": {"latitude": 1, "longitude": 1.5}}',
            '{"location":{"latitude":"integer","longitude":"number"}}',
        ),
        (b"", None),
        (b"ana", None),
        (b'{"user_id": "\xff"}', None),
        (b'{"user_id": "\\ud800"}', None),
        (b"[" * 3000, None),
        (b'"' + b"a" * MOST_BYTES + b'"', None),
    ],
)
def test_shape(app_event: Contract, payload: bytes, shape: str | None) -> None:
    assert redacted(payload, app_event) == shape
