# The service agents that act on our keys. An agent exists only after it was asked for.

resource "google_project_service_identity" "agent" {
  provider = google-beta
  for_each = toset(["artifactregistry.googleapis.com", "dataflow.googleapis.com", "pubsub.googleapis.com"])

  project = var.project_id
  service = each.value
}

# Reading these two makes them exist.
data "google_bigquery_default_service_account" "agent" {
  project = var.project_id
}

data "google_storage_project_service_account" "agent" {
  project = var.project_id
}

locals {
  agents = {
    artifacts = google_project_service_identity.agent["artifactregistry.googleapis.com"].member
    dataflow  = google_project_service_identity.agent["dataflow.googleapis.com"].member
    pubsub    = google_project_service_identity.agent["pubsub.googleapis.com"].member
    warehouse = "serviceAccount:${data.google_bigquery_default_service_account.agent.email}"
    storage   = "serviceAccount:${data.google_storage_project_service_account.agent.email_address}"
    # Compute's agent comes with its API; Dataflow's disks are its work.
    compute = "serviceAccount:service-${data.google_project.project.number}@compute-system.iam.gserviceaccount.com"
  }
}
