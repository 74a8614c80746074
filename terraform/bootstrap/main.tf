# The APIs, and the bucket of the other roots' state.

module "inventory" {
  source     = "../modules/inventory"
  project_id = var.project_id
}

locals {
  labels = { system = "noren" }
  region = module.inventory.region
}

# Here and not in ../platform: a data source there that waits for an API would be unknown in every plan that adds one, and each
# grant that names it would be replaced.
resource "google_project_service" "service" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "bigquerydatapolicy.googleapis.com",
    "bigquerystorage.googleapis.com",
    "cloudkms.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "datacatalog.googleapis.com",
    "dataflow.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "pubsub.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com",
  ])

  project            = var.project_id
  service            = each.value
  disable_on_destroy = false # others may use it too
}

data "google_storage_project_service_account" "agent" {
  project = var.project_id # its API is enabled in every new project
}

resource "google_kms_key_ring" "bootstrap" {
  project    = var.project_id
  name       = "noren-bootstrap"
  location   = local.region
  depends_on = [google_project_service.service]
}

module "key" {
  source = "../modules/key"

  name     = "state"
  key_ring = google_kms_key_ring.bootstrap.id
  users    = { storage = "serviceAccount:${data.google_storage_project_service_account.agent.email_address}" }
  labels   = local.labels
}

module "state" {
  source = "../modules/bucket"

  project_id   = var.project_id
  name         = "${var.project_id}-noren-state"
  region       = local.region
  kms_key_name = module.key.id
  labels       = local.labels
  members      = { for member in var.operators : member => { role = "roles/storage.objectUser", member = member } }
}
