# One key for each kind of thing at rest, so that a right on one opens nothing else. All rotate every 90 days.

resource "google_kms_key_ring" "noren" {
  project  = var.project_id
  name     = "noren"
  location = local.region
}

locals {
  keys = {
    # Pub/Sub messages, those of all topics.
    messages = { pubsub = local.agents.pubsub }
    # BigQuery tables.
    warehouse = { bigquery = local.agents.warehouse }
    # What the pipeline leaves behind: workers' disks and state, staged files, images.
    pipeline = {
      artifacts = local.agents.artifacts
      compute   = local.agents.compute
      dataflow  = local.agents.dataflow
      storage   = local.agents.storage
    }
    # Who changed which access, and when.
    ledger = { storage = local.agents.storage }
    # The key-encryption key of the anonymizer's own keys, and no service's: only who makes tokens can unwrap them.
    pseudonyms = { worker = module.inventory.worker.member }
  }
}

module "key" {
  source   = "../modules/key"
  for_each = local.keys

  name             = each.key
  key_ring         = google_kms_key_ring.noren.id
  protection_level = var.key_protection
  users            = each.value
  labels           = local.labels

  depends_on = [google_service_account.identity]
}
