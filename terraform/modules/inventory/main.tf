# What the repository says there is: contracts, datasets, identities. Pure: no provider, no resource.

locals {
  root = "${path.module}/../../.."

  contracts = [
    for file in fileset("${local.root}/dataflow/contracts", "*.yaml") :
    yamldecode(file("${local.root}/dataflow/contracts/${file}"))
  ]

  # The names are those of dataflow/names.py.
  streams = {
    for contract in local.contracts : contract.name => {
      domain           = contract.domain
      description      = try(contract.schema[0].description, "")
      topic            = replace(contract.name, "_", "-")
      subscription     = "${replace(contract.name, "_", "-")}-anonymizer"
      anonymized_topic = "${replace(contract.name, "_", "-")}-anonymized"
      dead_letter      = "${replace(contract.name, "_", "-")}-dead-letter"
    }
  }

  layers = yamldecode(file("${local.root}/iam/layers.yaml"))

  # ${project} stands for the project in these files.
  access = {
    for file in fileset("${local.root}/iam/datasets", "*.json") : trimsuffix(file, ".json") =>
    jsondecode(replace(file("${local.root}/iam/datasets/${file}"), "$${project}", var.project_id))
  }
  principals    = jsondecode(replace(file("${local.root}/iam/principals.json"), "$${project}", var.project_id))
  project_roles = jsondecode(replace(try(file("${local.root}/iam/project.json"), "[]"), "$${project}", var.project_id))

  # A dataset is <layer>__<domain>; dead_letter and operations have no domain.
  layer = { for dataset in keys(local.access) : dataset => split("__", dataset)[0] }
  settings = {
    for dataset in keys(local.access) : dataset =>
    merge(local.layers[local.layer[dataset]], try(local.layers[local.layer[dataset]].datasets[dataset], {}))
  }

  datasets = {
    for dataset, entries in local.access : dataset => {
      location    = local.settings[dataset].location
      description = local.settings[dataset].description
      labels = merge(
        local.settings[dataset].labels,
        length(split("__", dataset)) > 1 ? { domain = split("__", dataset)[1] } : {},
      )
      expiry_ms = try(local.settings[dataset].partition_expiry_days * 24 * 60 * 60 * 1000, null)
      # A service account alone: the identity that applies the access files. People own through a group.
      owner = try([for entry in entries : entry.userByEmail if entry.role == "OWNER" && can(entry.userByEmail)][0], null)
    }
  }

  identities = {
    for principal in local.principals : split("@", principal.email)[0] => {
      email   = principal.email
      purpose = principal.purpose
    } if principal.active && endswith(principal.email, "@${var.project_id}.iam.gserviceaccount.com")
  }

  # An access entry names its member by a key for each kind; an entry with any other key is refused in outputs.tf.
  roles = [
    for entry in local.project_roles : {
      role = entry.role
      member = (
        can(entry.groupByEmail) ? "group:${entry.groupByEmail}" :
        endswith(entry.userByEmail, ".gserviceaccount.com") ? "serviceAccount:${entry.userByEmail}" :
        "user:${entry.userByEmail}"
      )
    } if contains(local.grants, join(" ", keys(entry)))
  ]
  grants = ["groupByEmail role", "role userByEmail"]

  locations = distinct([for dataset in values(local.datasets) : dataset.location])
}
