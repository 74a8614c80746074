"""Each rule: what it finds in the repository's own files, spoiled in one place, and that it finds nothing else."""

import pytest

from iam.engine import TableName
from iam.lint import RULES

GROUP = {"role": "READER", "groupByEmail": "analysts@example.com"}
MARTS = "datasets/marts__product"
SERVICE = "iam.gserviceaccount.com"


def told(findings) -> list[str]:
    return [f"{f.code} {f.spot.file}: {f.sentence}" for f in findings]


def test_the_repositorys_own_files_have_no_finding(found, built):
    assert told(found(built)) == []


def ends(moment: str, **more: str) -> dict[str, object]:
    return {
        "role": "READER",
        "groupByEmail": "data-protection@example.com",
        "condition": {"expression": f'request.time < timestamp("{moment}")', **more},
    }


ADDED = {
    "NRN002": (MARTS, {**GROUP, "conditon": {}}, "unknown key 'conditon': did you mean 'condition'?"),
    "NRN003": (
        MARTS,
        {**GROUP, "role": "reader"},
        "role must be READER, WRITER, OWNER or roles/...; it is \"reader\": did you mean 'READER'?",
    ),
    "NRN004": (
        MARTS,
        {"role": "roles/bigquery.dataViewer", "iamMember": "group:Analysts@example.com"},
        "says the same as entry 3: remove one of them.",
    ),
    "NRN005": (
        "groups",
        {"group": "Analysts@example.com", "kind": "analysis", "purpose": "p", "owner": "ada@example.com"},
        "group analysts@example.com is listed twice: keep one of the two.",
    ),
    "NRN006": (
        MARTS,
        {"role": "READER", "iamMember": "deleted:group:gone@example.com?uid=1"},
        "deleted:group:gone@example.com?uid=1 was deleted: remove the entry.",
    ),
    "NRN010": (
        MARTS,
        {"role": "READER", "groupByEmail": "analyst@example.com"},
        "group analyst@example.com is not in iam/groups.json: did you mean 'analysts@example.com'?",
    ),
    "NRN011": (
        MARTS,
        {"role": "READER", "userByEmail": "ana@example.com"},
        "ana@example.com is a person: grant a group, e.g. one that this person is in: analysts@example.com.",
    ),
    "NRN012": (
        MARTS,
        {"role": "READER", "userByEmail": f"robot@${{project}}.{SERVICE}"},
        f"robot@noren-test.{SERVICE} is not in iam/principals.json: did you mean 'dbt@noren-test.{SERVICE}'?",
    ),
    "NRN013": (
        MARTS,
        {"role": "READER", "specialGroup": "allAuthenticatedUsers"},
        "allAuthenticatedUsers is everybody on the internet: grant a group.",
    ),
    "NRN014": (
        MARTS,
        {"role": "READER", "specialGroup": "projectReaders"},
        "projectReaders is everybody with roles/viewer on the project: grant a group.",
    ),
    "NRN015": (
        "groups",
        {"group": "p@partner.com", "kind": "business", "purpose": "p", "owner": "ada@example.com"},
        "p@partner.com, of group p@partner.com, is outside of example.com.",
    ),
    "NRN016": (
        MARTS,
        {"role": "READER", "domain": "example.com"},
        "example.com is everybody with an account of this domain: grant a group.",
    ),
    "NRN022": (
        "datasets/warehouse__app",
        {"role": "READER", "groupByEmail": "business@example.com"},
        "group business@example.com is of the kind business, and warehouse is granted to administration, analysis "
        "only: iam/layers.yaml says what the layer allows.",
    ),
    "NRN023": (
        "authorized_views/raw__app",
        {"view": {"projectId": "${project}", "datasetId": "warehouse__app", "tableId": "events"}},
        "view noren-test.warehouse__app.events is authorized on raw__app: whoever may ask it reads raw data: "
        "build it on the anonymized lane.",
    ),
    "NRN024": (
        "authorized_views/anonymized__web",
        {"view": {"projectId": "${project}", "datasetId": "warehouse__app", "tableId": "events"}},
        "there is no iam/datasets/anonymized__web.json: the file is named for the dataset that is read: "
        "did you mean 'anonymized__app'?",
    ),
    "NRN032": (
        "authorized_views/anonymized__app",
        {"view": {"projectId": "${project}", "datasetId": "werehouse__app", "tableId": "events"}},
        "view noren-test.werehouse__app.events is authorized on anonymized__app, but its dataset has no file: nobody "
        "is granted it: did you mean 'warehouse__app'?",
    ),
    "NRN041": (
        "datasets/operations",
        ends("2027-06-01T00:00:00Z"),
        "it ends on 2027-06-01, more than 90 days from now: end it earlier, or grant it for good.",
    ),
    "NRN042": (
        "datasets/operations",
        {**ends("x"), "condition": {"expression": "request.auth.claims.ok"}},
        "the condition is not understood: 'auth' where time is expected: "
        'e.g. request.time < timestamp("2027-01-31T00:00:00Z").',
    ),
    "NRN043": (
        "datasets/operations",
        ends("2026-06-02T00:00:00Z", title="temporary", description="incident (asked by a@x.com, approved by a@x.com)"),
        "a@x.com approved their own temporary grant: write it with `noren acl grant-temporary`.",
    ),
}


@pytest.mark.parametrize("code", ADDED)
def test_an_entry_that_should_not_be_there_is_found(code, add, found):
    file, entry, sentence = ADDED[code]
    add(file, entry)
    assert told(found()) == [f"{code} iam/{file}.json: {sentence}"]


POLICY = {
    "rowAccessPolicyReference": {
        "projectId": "${project}",
        "datasetId": "anonymized__app",
        "tableId": "app_event",
        "policyId": "p",
    },
    "filterPredicate": "TRUE",
    "grantees": ["user:ana@example.com"],
}
TAG = {"policyTag": "location", "description": "d", "readers": ["group:nobody@example.com"]}
APPROVED = ends(
    "2026-06-02T00:00:00Z",
    title="temporary",
    description="incident 42 (asked by eng@example.com, approved by dpo@example.com)",
)
STRANGE = ends(
    "2026-06-02T00:00:00Z", title="temporary", description="x (asked by eng@example.com, approved by x@partner.com)"
)
CODES = {
    "an address outside of the domains counts in every kind of grant": (
        [
            (MARTS, {"role": "READER", "userByEmail": "x@partner.com"}),
            (MARTS, {"role": "READER", "domain": "partner.com"}),
        ],
        ["NRN011", "NRN015", "NRN015", "NRN016"],
    ),
    "a data role on the project counts for every layer": (
        [("project", {"role": "roles/bigquery.dataViewer", "groupByEmail": "business@example.com"})],
        ["NRN022", "NRN023"],
    ),
    "row access policies and policy tags name listed groups, too": (
        [("row_access_policies/anonymized__app", POLICY), ("policy_tags", TAG)],
        ["NRN010", "NRN011"],
    ),
    "a stranger approves nothing": ([("datasets/operations", STRANGE)], ["NRN043"]),
    "an approved grant for a time may cross the layer": ([("datasets/warehouse__app", APPROVED)], []),
    "an approved grant for a time does not lead into raw": ([("datasets/raw__app", APPROVED)], ["NRN023"]),
}


@pytest.mark.parametrize("case", CODES)
def test_these_entries_are_found_and_nothing_else(case, add, found):
    entries, codes = CODES[case]
    for file, entry in entries:
        add(file, entry)
    assert [finding.code for finding in found()] == codes


def test_an_expired_grant_is_found_with_its_end(add, found):
    add("datasets/operations", ends("2026-05-31T00:00:00Z"))
    [finding] = found()
    assert (finding.code, str(finding.spot)) == ("NRN040", "iam/datasets/operations.json:25:5")
    assert finding.message.endswith("ended on 2026-05-31 00:00 UTC")


def test_a_file_that_is_no_json_is_found(project, found):
    (project.iam / "project.json").write_text('[\n  {"role": ]')
    assert [(f.code, str(f.spot)) for f in found()] == [("NRN001", "iam/project.json:2:12")]


def test_a_domain_is_ours_when_the_settings_say_so(project, add, found):
    (project.iam / "lint.yaml").write_text("domains: [example.com, partner.com]")
    add(MARTS, {"role": "READER", "domain": "partner.com"})
    assert [f.code for f in found()] == ["NRN016"]


def test_a_dataset_of_no_layer_without_an_owner_is_found_twice(add, found):
    add("datasets/row__app", GROUP)
    assert told(found()) == [
        "NRN020 iam/datasets/row__app.json: iam/layers.yaml has no layer for the dataset row__app: did you mean 'raw'?",
        "NRN021 iam/datasets/row__app.json: the dataset row__app has no owner: "
        'add {"role": "OWNER", "userByEmail": "acl-applier@${project}.iam.gserviceaccount.com"}.',
    ]


def test_a_role_broader_than_the_layer_allows_is_found(add, found):
    add("datasets/warehouse__app", {"role": "WRITER", "groupByEmail": "analysts@example.com"})
    [finding] = found()
    assert finding.code == "NRN022"
    assert (
        finding.message
        == "roles/bigquery.dataEditor is broader than READER, the most that analysis may have on warehouse"
    )


@pytest.mark.parametrize(
    ("member", "why"),
    [
        ({"groupByEmail": "analysts@example.com"}, "raw is granted to administration only"),
        ({"userByEmail": f"dbt@${{project}}.{SERVICE}"}, "raw is granted to acl-applier, anonymizer only"),
    ],
)
def test_raw_is_reached_by_an_entry(member, why, add, found):
    add("datasets/raw__app", {"role": "READER", **member})
    [finding] = found()
    assert (finding.code, finding.spot.file) == ("NRN023", "iam/datasets/raw__app.json")
    assert why in finding.message


def test_raw_is_reached_through_a_group_in_an_allowed_group(add, found):
    nested = {
        "group": "interns@example.com",
        "kind": "business",
        "purpose": "Learn.",
        "owner": "ada@example.com",
        "parents": ["data-admins@example.com"],
    }
    add("groups", nested)
    assert {f.code for f in found()} == {"NRN023"}
    assert "group interns@example.com (business) is in data-admins@example.com" in found()[0].message


def test_raw_is_reached_by_what_was_imported(project, found):
    (project.iam / "imported.json").write_text(
        '{"at": "2026-01-01T00:00:00Z", "complete": true, "tables": {}, "inherited": '
        '[{"role": "roles/bigquery.admin", "groupByEmail": "analysts@example.com"}]}'
    )
    [finding] = found()
    assert (finding.code, finding.spot.file) == ("NRN023", "iam/imported.json")


def test_a_missing_hop_names_who_gets_403(project, found, built):
    (project.iam / "authorized_views" / "warehouse__places.json").write_text("[]")
    assert told(found(built)) == [
        "NRN030 iam/authorized_views/warehouse__places.json: marts__places.checkins_by_area_hour reads "
        "warehouse__places and is not authorized there: business@example.com gets 403: "
        "add it (dbt/models/checkins_by_area_hour.sql)."
    ]


def test_a_hop_below_is_missing_for_the_readers_above(project, found, built):
    (project.iam / "authorized_views" / "anonymized__places.json").write_text("[]")
    [finding] = found(built)
    assert "warehouse__places.checkins reads anonymized__places" in finding.message
    assert finding.message.endswith("business@example.com gets 403")


def test_a_hop_that_all_readers_may_take_themselves_is_not_missing(project, found, built):
    """Whoever may ask warehouse__app.sessions may read warehouse__app.events in the same dataset."""
    path = project.iam / "authorized_views" / "warehouse__app.json"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "sessions" not in line))
    assert found(built) == []


def test_a_whole_authorized_dataset_stands_for_its_views(project, add, found, built):
    (project.iam / "authorized_views" / "warehouse__places.json").unlink()
    whole = {"dataset": {"projectId": "${project}", "datasetId": "marts__places"}, "targetTypes": ["VIEWS"]}
    add("authorized_views/warehouse__places", {"dataset": whole})
    assert found(built) == []


def test_an_authorized_view_that_dbt_does_not_build_is_excessive(found, built):
    del built[TableName("noren-test", "marts__product", "top_screens")]
    assert told(found(built)) == [
        "NRN031 iam/authorized_views/warehouse__app.json: dbt builds no marts__product.top_screens: remove the entry."
    ]


def test_an_authorized_view_that_does_not_read_the_source_is_excessive(add, found, built):
    add(
        "authorized_views/anonymized__places",
        {"view": {"projectId": "${project}", "datasetId": "warehouse__app", "tableId": "events"}},
    )
    [finding] = found(built)
    assert finding.code == "NRN031"
    assert finding.message == "warehouse__app.events does not read anonymized__places (dbt/models/events.sql)"


def test_what_a_view_reads_has_a_file(project, found, built):
    (project.iam / "datasets" / "anonymized__places.json").unlink()
    assert {f.code for f in found(built)} == {"NRN024", "NRN032"}


def test_a_view_in_another_region_is_found(project, found):
    path = project.iam / "layers.yaml"
    head, mark, tail = path.read_text().partition("\nmarts:")
    path.write_text(head + mark + tail.replace("asia-northeast1", "US", 1))
    assert {f.code for f in found()} == {"NRN033"}
    assert found()[0].message == "warehouse__app is in asia-northeast1, and marts__product in US"


def test_the_budget_of_authorized_views_is_told_from_four_fifths_on(add, found):
    views = [
        {"view": {"projectId": "${project}", "datasetId": "marts__product", "tableId": f"v{n}"}} for n in range(2000)
    ]
    add("authorized_views/warehouse__app", *views[:1995])
    assert found() == []
    add("authorized_views/warehouse__app", *views[1995:])
    [finding] = found()
    assert finding.code == "NRN034"
    assert finding.message.startswith("2,004 of at most 2,500 resources")
    assert "authorize the dataset marts__product as a whole" in finding.suggestion


@pytest.mark.parametrize(
    ("file", "text", "spot"),
    [
        ("dbt/models/x.yml", "models:\n  - name: a\n    config:\n      grant_access_to: [x]\n", "dbt/models/x.yml:4:7"),
        ("dbt/models/x.sql", "{{ config(grant_access_to=[{}]) }}\n", "dbt/models/x.sql:1:11"),
        (
            "terraform/a.tf",
            'resource "google_bigquery_dataset_access" "a" {\n}\n',
            "terraform/a.tf:1:1",
        ),
        (
            "terraform/a.tf",
            '\nresource "google_bigquery_dataset" "a" {\n  access {\n    role = "READER"\n  }\n}\n',
            "terraform/a.tf:2:1",
        ),
    ],
)
def test_a_second_owner_of_access_lists_is_found(file, text, spot, project, found):
    (project.root / file).parent.mkdir(parents=True, exist_ok=True)
    (project.root / file).write_text(text)
    assert [(f.code, str(f.spot)) for f in found()] == [("NRN050", spot)]


@pytest.mark.parametrize(
    "text",
    [
        '# resource "google_bigquery_dataset_access" "a" {\n',
        'resource "google_bigquery_dataset" "a" {\n  access {\n  }\n'
        "  lifecycle {\n    ignore_changes = [access]\n  }\n}\n",
        'resource "google_bigquery_dataset" "a" {\n  location = "US"\n}\n',
    ],
)
def test_terraform_may_make_a_dataset_whose_list_it_leaves_alone(text, project, found):
    (project.root / "terraform").mkdir()
    (project.root / "terraform" / "a.tf").write_text(text)
    assert found() == []


def test_what_is_meant_is_left_alone_until_its_day(project, add, found):
    add(MARTS, {"role": "READER", "domain": "example.com"})
    ignore = '{{rule: NRN016, file: iam/datasets/marts__product.json, reason: "all hands", until: {}}}'
    (project.iam / "lint.yaml").write_text(f"ignore: [{ignore.format('2026-06-01')}]")
    assert found() == []
    (project.iam / "lint.yaml").write_text(f"ignore: [{ignore.format('2026-05-31')}]")
    assert [f.code for f in found()] == ["NRN016"]


def test_codes_and_names_are_unique_and_every_rule_is_documented():
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.summary().endswith("."), rule
