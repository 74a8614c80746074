# The service identities of iam/principals.json, and the one that launches jobs. None has a key file; people and CI impersonate.

resource "google_service_account" "identity" {
  for_each = module.inventory.identities

  project      = var.project_id
  account_id   = each.key
  display_name = each.key
  description  = each.value.purpose
}

# Starts, updates and drains Dataflow jobs and reads no data: ../ingest impersonates it.
resource "google_service_account" "launcher" {
  project      = var.project_id
  account_id   = "dataflow-launcher"
  display_name = "dataflow-launcher"
  description  = "Launches the anonymizer's jobs; has no right on topics, datasets or keys."
}

# What iam/project.json says: who may run queries. What they may read stands in the datasets' own files.
resource "google_project_iam_member" "declared" {
  for_each = module.inventory.project_roles

  project    = var.project_id
  role       = each.value.role
  member     = each.value.member
  depends_on = [google_service_account.identity]
}

# Who reads policy tags and their masks is granted on each; to grant it there takes these two. Neither reads data.
resource "google_project_iam_member" "tags" {
  for_each = toset(module.inventory.policy_tags ? ["roles/bigquerydatapolicy.admin", "roles/datacatalog.categoryAdmin"] : [])

  project    = var.project_id
  role       = each.value
  member     = module.inventory.applier.member
  depends_on = [google_service_account.identity]
}

# The rights to be a Dataflow worker; its data is granted topic by topic and dataset by dataset.
resource "google_project_iam_member" "worker" {
  project    = var.project_id
  role       = "roles/dataflow.worker"
  member     = module.inventory.worker.member
  depends_on = [google_service_account.identity]
}

resource "google_project_iam_member" "launcher" {
  #checkov:skip=CKV_GCP_49:a job has no resource below the project; whom it may run as is granted on the one worker, below
  for_each = toset(["roles/dataflow.developer", "roles/compute.viewer"])

  project = var.project_id
  role    = each.value
  member  = google_service_account.launcher.member
}

# Only this one worker identity may be attached to what the launcher starts.
resource "google_service_account_iam_member" "launcher_uses_worker" {
  service_account_id = google_service_account.identity[module.inventory.worker.account].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.launcher.member
}

resource "google_service_account_iam_member" "launches" {
  for_each = var.launchers

  service_account_id = google_service_account.launcher.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value
}
