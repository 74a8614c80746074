"""Callers who are not who they say, and ways to say what is asked that count for nothing."""

import base64
import json

import pytest

from tests.scripts.stack.gateway.bypass.cast import ANALYST


def unsigned(email: str) -> str:
    def part(content: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    claims = {"iss": "noren-stack", "aud": "noren-gateway", "sub": email, "iat": 1, "exp": 9_999_999_999}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Basic YWRhQGV4YW1wbGUuY29tOng=", f"Bearer {unsigned('ada@example.com')}"],
    ids=["empty", "no token", "no JWT", "basic", "unsigned"],
)
def test_who_is_not_known_gets_401_in_bigquerys_shape(call, authorization):
    answer = call("ada@example.com", "GET", "/datasets", headers={"authorization": authorization})
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert answer.json()["error"]["errors"][0]["reason"] == "authError"


def test_a_token_in_the_address_counts_for_nothing(call):
    answer = call("ada@example.com", "GET", "/datasets?access_token=x", headers={"authorization": ""})
    assert answer.status_code == 401


def test_another_project_is_refused(call):
    answer = call("ada@example.com", "GET", "/datasets", base="/bigquery/v2/projects/other")
    assert answer.status_code == 403


def test_the_stacks_secret_does_not_open_the_gateway(stack, call):
    headers = {"authorization": "", "x-noren-stack": stack.secret}
    assert call("ada@example.com", "GET", "/datasets", headers=headers).status_code == 401


def test_method_override_headers_count_for_nothing(call):
    headers = {"x-http-method-override": "DELETE", "x-http-method": "DELETE"}
    assert call(ANALYST, "GET", "/datasets/anonymized__app", headers=headers).status_code == 200
    assert call("ada@example.com", "GET", "/datasets/anonymized__app").status_code == 200
