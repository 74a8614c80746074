# One dataset for each file of iam/datasets. Tables are made by the pipeline (from contract and policy) and by dbt, never here.

resource "google_bigquery_dataset" "dataset" {
  for_each = module.inventory.datasets

  project                         = var.project_id
  dataset_id                      = each.key
  location                        = each.value.location
  description                     = each.value.description
  labels                          = merge(local.labels, each.value.labels)
  default_partition_expiration_ms = each.value.expiry_ms
  max_time_travel_hours           = "48" # the least: what is erased should not be there for a week more
  delete_contents_on_destroy      = false
  deletion_policy                 = "PREVENT"

  default_encryption_configuration {
    kms_key_name = module.key["warehouse"].id
  }

  # A dataset without an entry gets the project's editors and viewers. This one owner, who applies the access files, is all that
  # Terraform ever says: from then on access[] has one owner, `noren acl apply`
  # (two of them erase each other's entries: https://github.com/hashicorp/terraform-provider-google/issues/10156).
  access {
    role          = "OWNER"
    user_by_email = each.value.owner
  }

  lifecycle {
    ignore_changes  = [access]
    prevent_destroy = true
  }

  depends_on = [google_service_account.identity]
}
