"""Who may ask what: the same questions as different people, through unmodified clients."""

import pytest
from google.api_core.exceptions import Forbidden

ADMIN, ANALYST, BUSINESS, OUTSIDER = "ada@example.com", "ana@example.com", "bo@example.com", "oz@example.com"
RAW, ANONYMIZED = "raw__app.app_event", "anonymized__app.app_event"
WAREHOUSE, MART = "warehouse__app.events", "marts__product.daily_active_users"

ANSWERS = {
    (ADMIN, RAW): 2,
    (ADMIN, MART): 1,
    (ANALYST, RAW): None,
    (ANALYST, ANONYMIZED): 2,
    (ANALYST, WAREHOUSE): 2,
    (ANALYST, "warehouse__app.sessions"): 2,
    (ANALYST, MART): 1,
    (ANALYST, "dead_letter.events"): None,
    (BUSINESS, RAW): None,
    (BUSINESS, ANONYMIZED): None,
    (BUSINESS, WAREHOUSE): None,
    (BUSINESS, MART): 1,
    (BUSINESS, "marts__places.checkins_by_area_hour"): 1,
    ("dpo@example.com", "dead_letter.events"): 0,
    ("dpo@example.com", MART): None,
    ("eng@example.com", "operations.metrics"): 0,
    ("eng@example.com", ANONYMIZED): 2,
    ("eng@example.com", RAW): None,
    (OUTSIDER, RAW): None,
    (OUTSIDER, MART): None,
}


@pytest.mark.parametrize(("who", "table"), ANSWERS)
def test_rows_of_a_table_for_a_person(as_, who, table):
    rows = ANSWERS[who, table]
    if rows is not None:
        assert as_(who).query(f"SELECT * FROM {table}").result().total_rows == rows
        return
    with pytest.raises(Forbidden) as refused:
        as_(who).query(f"SELECT * FROM {table}").result()
    assert refused.value.errors[0]["reason"] == "accessDenied"
