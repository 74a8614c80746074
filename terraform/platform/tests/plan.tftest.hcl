# A plan of the whole root over the repository's own contracts and access files, with the clouds' answers made up.

mock_provider "google" {
  override_during = plan

  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_data "google_bigquery_default_service_account" {
    defaults = { email = "bq-123456789012@bigquery-encryption.iam.gserviceaccount.com" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
  }
  mock_resource "google_kms_crypto_key" {
    defaults = { id = "projects/noren-test/locations/here/keyRings/noren/cryptoKeys/mocked" }
  }
  mock_resource "google_kms_key_ring" {
    defaults = { id = "projects/noren-test/locations/here/keyRings/noren" }
  }
}

mock_provider "google-beta" {
  override_during = plan

  mock_resource "google_project_service_identity" {
    defaults = { member = "serviceAccount:service-123456789012@gcp-sa-agent.iam.gserviceaccount.com" }
  }
}

override_resource {
  target          = module.key["warehouse"].google_kms_crypto_key.key
  override_during = plan
  values          = { id = "projects/noren-test/locations/here/keyRings/noren/cryptoKeys/warehouse" }
}

variables {
  project_id = "noren-test"
}

run "plan" {
  command = plan

  assert {
    condition     = toset(keys(module.stream)) == toset([for file in fileset("../../dataflow/contracts", "*.yaml") : trimsuffix(file, ".yaml")])
    error_message = "There must be topics for every contract, and for nothing else."
  }

  assert {
    condition     = toset(output.datasets) == toset([for file in fileset("../../iam/datasets", "*.json") : trimsuffix(file, ".json")])
    error_message = "There must be a dataset for every file of iam/datasets, and no other."
  }

  assert {
    condition = toset(keys(google_service_account.identity)) == toset([
      for principal in jsondecode(file("../../iam/principals.json")) : split("@", principal.email)[0] if principal.active
    ])
    error_message = "There must be an account for every active identity of iam/principals.json."
  }

  assert {
    condition = alltrue([
      for dataset in google_bigquery_dataset.dataset :
      dataset.default_encryption_configuration[0].kms_key_name == "projects/noren-test/locations/here/keyRings/noren/cryptoKeys/warehouse"
    ])
    error_message = "Every dataset must rest under the warehouse key."
  }

  assert {
    condition = alltrue([
      for dataset in google_bigquery_dataset.dataset :
      [for entry in dataset.access : "${entry.role} ${entry.user_by_email}"] == ["OWNER acl-applier@noren-test.iam.gserviceaccount.com"]
    ])
    error_message = "Terraform gives a dataset one owner, who applies the access files, and nobody else."
  }

  assert {
    condition     = google_bigquery_dataset.dataset["raw__app"].default_partition_expiration_ms == yamldecode(file("../../iam/layers.yaml")).raw.partition_expiry_days * 86400000
    error_message = "raw__app must expire as iam/layers.yaml says."
  }

  assert {
    condition     = google_bigquery_dataset.dataset["anonymized__places"].default_partition_expiration_ms == null
    error_message = "The override of one dataset in iam/layers.yaml must win, null too."
  }

  assert {
    condition     = google_bigquery_dataset.dataset["anonymized__app"].labels["lane"] == "pseudonymized" && google_bigquery_dataset.dataset["anonymized__app"].labels["domain"] == "app"
    error_message = "Labels come from the layer, the domain from the name."
  }

  assert {
    condition = alltrue([
      for grant in google_project_iam_member.declared : contains(["roles/bigquery.jobUser", "roles/bigquery.user"], grant.role)
    ])
    error_message = "iam/project.json grants the right to run queries; what they read is granted dataset by dataset."
  }

  assert {
    condition     = google_project_iam_member.declared["roles/bigquery.jobUser group:analysts@example.com"].member == "group:analysts@example.com"
    error_message = "Groups are granted as groups."
  }

  assert {
    condition     = google_project_iam_member.declared["roles/bigquery.jobUser serviceAccount:dbt@noren-test.iam.gserviceaccount.com"].member == "serviceAccount:dbt@noren-test.iam.gserviceaccount.com"
    error_message = "Service identities are granted as service accounts of this project."
  }
}

run "the_ledger_of_access_is_appended_to_and_kept" {
  command = plan

  assert {
    condition     = output.ledger == replace(yamldecode(file("../../iam/ledger.yaml")).place, "$${project}", "noren-test")
    error_message = "The bucket is the one that iam/ledger.yaml names."
  }

  assert {
    condition     = output.ci == []
    error_message = "Without a repository nothing of CI is let in."
  }
}

run "the_access_workflow_of_the_main_branch_may_apply" {
  command = plan

  variables {
    repository = "acme/analytics"
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.github["acme/analytics"].attribute_condition == "assertion.workflow_ref == 'acme/analytics/.github/workflows/access.yml@refs/heads/main'"
    error_message = "One workflow of one branch gets in."
  }

  assert {
    condition     = [for grant in google_service_account_iam_member.ci_applies : grant.role] == ["roles/iam.workloadIdentityUser"]
    error_message = "It acts as the identity that applies access, and as no other."
  }
}

run "a_repository_is_one" {
  command         = plan
  expect_failures = [var.repository]

  variables {
    repository = "https://github.com/acme/*"
  }
}

run "a_publisher_is_never_everybody" {
  command         = plan
  expect_failures = [var.publishers]

  variables {
    publishers = { app_event = ["allUsers"] }
  }
}

run "a_switch_for_a_stream_that_is_not_there_is_noticed" {
  command         = plan
  expect_failures = [check.names_of_streams]

  variables {
    enforced_streams = ["app_events"]
  }
}
