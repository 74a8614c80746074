"""BigQuery schemas as `bq mk --schema` and the REST API take them: the raw and the anonymized table of every stream."""

import json
from pathlib import Path

from dataflow.contract import load_contracts
from dataflow.policy import load_policy
from dataflow.project import Project
from dataflow.schemas.tables import anonymized_table, raw_table


def files(project: Project) -> dict[Path, str]:
    """{`<dataset>.<table>.json`: text}. Raises NorenError when a contract or the policy is wrong."""
    policy = load_policy(project.policy)
    return {
        Path(f"{table.id}.json"): json.dumps(table.bigquery(), indent=2, ensure_ascii=False) + "\n"
        for contract in load_contracts(project.contracts).values()
        for table in (raw_table(contract), anonymized_table(contract, policy))
    }
