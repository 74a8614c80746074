# The ledger of access: who changed which access list, from which commit. An additive dataset remembers by it what may be
# removed, so it must outlive the machine of a CI run. iam/ledger.yaml names this bucket.

module "ledger" {
  source = "../modules/bucket"

  project_id       = var.project_id
  name             = "${var.project_id}-noren-ledger"
  region           = local.region
  kms_key_name     = module.key["ledger"].id
  labels           = local.labels
  retention_days   = var.ledger_retention_days
  retention_locked = var.ledger_retention_locked
  # A line is made once and read: who applies access may neither change nor delete what it did.
  members = {
    applier_appends = { role = "roles/storage.objectCreator", member = module.inventory.applier.member }
    applier_reads   = { role = "roles/storage.objectViewer", member = module.inventory.applier.member }
  }

  depends_on = [google_service_account.identity]
}
