# CI as the identity that applies access, without a key file: GitHub says which workflow runs, Google believes it for an hour.
# Only .github/workflows/access.yml as it is on the main branch gets in: no pull request, no other workflow.
# https://cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines

locals {
  ci = toset(var.repository == null ? [] : [var.repository])
}

resource "google_iam_workload_identity_pool" "ci" {
  for_each = local.ci

  project                   = var.project_id
  workload_identity_pool_id = "noren-ci"
  display_name              = "noren-ci"
  description               = "The access workflow of ${each.value}."
}

resource "google_iam_workload_identity_pool_provider" "github" {
  for_each = local.ci

  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.ci[each.value].workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  display_name                       = "github"
  attribute_condition                = "assertion.workflow_ref == '${each.value}/.github/workflows/access.yml@refs/heads/main'"
  attribute_mapping = {
    "google.subject"       = "assertion.sub"
    "attribute.repository" = "assertion.repository"
  }

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account_iam_member" "ci_applies" {
  for_each = local.ci

  service_account_id = google_service_account.identity[module.inventory.applier.account].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.ci[each.value].name}/attribute.repository/${each.value}"
}
