# Everything that follows comes from dataflow/contracts and iam/; nothing is listed twice.

module "inventory" {
  source     = "../modules/inventory"
  project_id = var.project_id
}

locals {
  labels = { system = "noren" }
  region = module.inventory.region
}

data "google_project" "project" {
  project_id = var.project_id
}
