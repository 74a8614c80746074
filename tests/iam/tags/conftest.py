"""Both services with one policy tag, `location`, and files that speak of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from google.cloud.bigquery_datapolicies_v1 import DataPolicyServiceClient
from google.cloud.bigquery_datapolicies_v1.services.data_policy_service.transports import DataPolicyServiceGrpcTransport

from dataflow.channels import plain
from dataflow.project import Project
from iam.files import AccessFiles, PolicyTag, load
from iam.tags import DataPolicies, PolicyTags, TagServices
from tests.iam.tags.google_cloud import DataCatalog, DataPolicyServer

P = "acme-analytics"
TAXONOMY = f"projects/{P}/locations/asia-northeast1/taxonomies/1"
TAG = f"{TAXONOMY}/policyTags/2"


@pytest.fixture
def catalog() -> Iterator[DataCatalog]:
    server = DataCatalog({TAG: "location", f"{TAXONOMY}/policyTags/3": "other"})
    yield server
    server.stop()


@pytest.fixture
def masks() -> Iterator[DataPolicyServer]:
    server = DataPolicyServer()
    yield server
    server.stop()


@pytest.fixture
def services(catalog: DataCatalog, masks: DataPolicyServer) -> TagServices:
    client = DataPolicyServiceClient(transport=DataPolicyServiceGrpcTransport(channel=plain(masks.address)))
    return TagServices(PolicyTags(requests.Session(), catalog.url), DataPolicies(client))


@pytest.fixture
def files() -> AccessFiles:
    found = load(Project(Project.find(Path(__file__)).root, P))
    return replace(found, policy_tags={"location": PolicyTag("location", "Where.", ("group:New@example.com",))})
