output "streams" {
  description = "Stream -> domain, description, topic, subscription, anonymized_topic, dead_letter."
  value       = local.streams

  precondition {
    condition     = length(local.streams) == length(local.contracts)
    error_message = "Two files of dataflow/contracts have the same name."
  }
}

output "datasets" {
  description = "Dataset -> location, description, labels, expiry_ms (null: kept), owner (email of its first owner)."
  value       = local.datasets

  precondition {
    condition     = alltrue([for dataset in values(local.datasets) : dataset.owner != null])
    error_message = "A file of iam/datasets has no OWNER with userByEmail: the identity that applies the access files."
  }
}

output "identities" {
  description = "Account id -> email, purpose, of every active service identity."
  value       = local.identities
}

output "worker" {
  description = "The service identity that runs the anonymizer: its account, email and IAM member."
  value = {
    account = "anonymizer"
    email   = try(local.identities["anonymizer"].email, "")
    member  = "serviceAccount:${try(local.identities["anonymizer"].email, "")}"
  }

  precondition {
    condition     = can(local.identities["anonymizer"])
    error_message = "iam/principals.json has no active identity anonymizer@."
  }
}

output "applier" {
  description = "The service identity that applies the access files: its account, email and IAM member."
  value = {
    account = "acl-applier"
    email   = try(local.identities["acl-applier"].email, "")
    member  = "serviceAccount:${try(local.identities["acl-applier"].email, "")}"
  }

  precondition {
    condition     = can(local.identities["acl-applier"])
    error_message = "iam/principals.json has no active identity acl-applier@."
  }
}

output "policy_tags" {
  description = "Whether iam/policy_tags.json says who reads policy tags."
  value       = fileexists("${local.root}/iam/policy_tags.json")
}

output "project_roles" {
  description = "\"<role> <member>\" -> role, member, of iam/project.json."
  value       = { for entry in local.roles : "${entry.role} ${entry.member}" => entry }

  precondition {
    condition     = length(local.roles) == length(local.project_roles)
    error_message = "An entry of iam/project.json has role and one of groupByEmail and userByEmail; nothing else is understood here."
  }
}

output "region" {
  description = "The one region of everything: datasets, messages, keys and workers."
  value       = local.locations[0]

  precondition {
    condition     = length(local.locations) == 1 && can(regex("^[a-z]+-[a-z]+[0-9]+$", local.locations[0]))
    error_message = "iam/layers.yaml must name one region for all layers, not ${join(", ", local.locations)}."
  }
}
