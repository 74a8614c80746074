"""BigQuery's documented semantics: the engine on every case of cases.yaml."""

import pytest

from iam.engine import DatasetName, TableName, decide
from iam.verify.cases import ACTIONS, PROJECT, Case, Stage

CASES = list(Stage().cases())


def test_there_are_at_least_sixty_cases_each_with_a_name_of_its_own():
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_engine_answers_as_bigquery_documents(case: Case):
    on, also = case.full(case.given["of"]), case.given.get("also")
    resource = TableName(PROJECT, *on.split(".")) if "." in case.given["of"] else DatasetName(PROJECT, on.rstrip("."))
    decisions = [decide(case.world(), case.caller, ACTIONS[case.do], resource, case.given.get("columns"))]
    if also:
        decisions.append(decide(case.world(), case.caller, ACTIONS[case.do], case.table(also)))
    assert next((decision.denial for decision in decisions if not decision.allowed), "") == case.denial
