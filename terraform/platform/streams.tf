# Topics, schemas and subscriptions of every contract.

module "stream" {
  source   = "../modules/stream"
  for_each = module.inventory.streams

  project_id = var.project_id
  region     = local.region
  name       = each.key
  stream     = each.value
  definitions = {
    events = file("${path.module}/schemas/${each.value.topic}.proto")
    rows   = file("${path.module}/schemas/${each.value.anonymized_topic}.proto")
  }
  enforce_schema = contains(var.enforced_streams, each.key)
  kms_key_name   = module.key["messages"].id
  publishers     = lookup(var.publishers, each.key, [])
  worker         = module.inventory.worker.member
  pubsub_agent   = local.agents.pubsub
  labels         = local.labels

  depends_on = [google_service_account.identity]
}

check "names_of_streams" {
  assert {
    condition     = length(setsubtract(setunion(keys(var.publishers), var.enforced_streams), keys(module.inventory.streams))) == 0
    error_message = "publishers or enforced_streams name a stream that dataflow/contracts does not have."
  }
}
