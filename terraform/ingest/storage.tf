# What a job is made of, and what it leaves behind. The two are apart: a worker cannot change what is launched next.

module "templates" {
  source = "../modules/bucket"

  project_id   = var.project_id
  name         = "${var.project_id}-noren-templates"
  region       = local.region
  kms_key_name = local.key
  labels       = local.labels
  members = merge(
    {
      launcher_reads = { role = "roles/storage.objectViewer", member = "serviceAccount:${local.launcher}" }
      worker_reads   = { role = "roles/storage.objectViewer", member = local.worker.member }
    },
    # Create only: a template that was launched is never overwritten.
    { for member in var.builders : "${member} creates" => { role = "roles/storage.objectCreator", member = member } },
  )
}

module "staging" {
  source = "../modules/bucket"

  project_id   = var.project_id
  name         = "${var.project_id}-noren-dataflow"
  region       = local.region
  kms_key_name = local.key
  labels       = local.labels
  expire_days  = { "temp/" = 7 } # not staging/: new workers of a running job still read what was staged at its launch
  members      = { worker_uses = { role = "roles/storage.objectUser", member = local.worker.member } }
}

resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = local.region
  repository_id = "noren"
  description   = "Images of the anonymizer."
  format        = "DOCKER"
  kms_key_name  = local.key
  labels        = local.labels

  docker_config {
    immutable_tags = true
  }
}

resource "google_artifact_registry_repository_iam_member" "worker_reads" {
  project    = var.project_id
  location   = local.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.reader"
  member     = local.worker.member
}

resource "google_artifact_registry_repository_iam_member" "builder_pushes" {
  for_each = var.builders

  project    = var.project_id
  location   = local.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = each.value
}

locals {
  image    = "${local.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}/anonymizer"
  template = "gs://${module.templates.name}/anonymizer"
}
