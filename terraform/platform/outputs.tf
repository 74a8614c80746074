output "region" {
  description = "The region of everything."
  value       = local.region
}

output "topics" {
  description = "Stream -> ids of its topics."
  value       = { for name, stream in module.stream : name => stream.topics }
}

output "subscriptions" {
  description = "Stream -> ids of its subscriptions."
  value       = { for name, stream in module.stream : name => stream.subscriptions }
}

output "datasets" {
  description = "Names of the datasets."
  value       = sort(keys(google_bigquery_dataset.dataset))
}

output "ledger" {
  description = "Where the ledger of access lies: what iam/ledger.yaml says."
  value       = "gs://${module.ledger.name}"
}

output "ci" {
  description = "What the access workflow needs as its variables: NOREN_PROJECT and NOREN_IDENTITY_PROVIDER; none without a repository."
  value = [
    for provider in google_iam_workload_identity_pool_provider.github :
    { NOREN_PROJECT = var.project_id, NOREN_IDENTITY_PROVIDER = provider.name }
  ]
}

output "keys" {
  description = "Purpose -> id of its key."
  value       = { for name, key in module.key : name => key.id }
}

output "identities" {
  description = "Account id -> email of the service identities."
  value = merge(
    { for name, account in google_service_account.identity : name => account.email },
    { (google_service_account.launcher.account_id) = google_service_account.launcher.email },
  )
}
