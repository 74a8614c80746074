# Streams from the contracts; what ../platform made is known by its name, so that neither root reads the other's state.

module "inventory" {
  source     = "../modules/inventory"
  project_id = var.project_id
}

locals {
  labels   = { system = "noren" }
  region   = module.inventory.region
  worker   = module.inventory.worker
  launcher = "dataflow-launcher@${var.project_id}.iam.gserviceaccount.com"
  key      = "projects/${var.project_id}/locations/${local.region}/keyRings/noren/cryptoKeys/pipeline"
}
