# One streaming job for each contract, from the image and template of one commit.

resource "google_dataflow_flex_template_job" "anonymizer" {
  provider = google-beta.launcher
  for_each = var.release == null ? {} : module.inventory.streams

  project                 = var.project_id
  region                  = local.region
  name                    = each.value.subscription
  container_spec_gcs_path = "${local.template}/${var.release}.json"

  # The pipeline's own options only; Dataflow's stand above and below
  # (https://github.com/hashicorp/terraform-provider-google/issues/11008).
  parameters = {
    stream       = each.key
    subscription = "projects/${var.project_id}/subscriptions/${each.value.subscription}"
  }

  sdk_container_image     = "${local.image}:${var.release}" # the same image: workers cannot download packages
  service_account_email   = local.worker.email
  machine_type            = coalesce(try(var.workers[each.key].machine_type, null), var.machine_type)
  num_workers             = 1
  max_workers             = coalesce(try(var.workers[each.key].max_workers, null), var.max_workers)
  autoscaling_algorithm   = "THROUGHPUT_BASED"
  enable_streaming_engine = true
  kms_key_name            = local.key

  subnetwork       = "regions/${local.region}/subnetworks/${google_compute_subnetwork.workers.name}"
  ip_configuration = "WORKER_IP_PRIVATE"

  staging_location = "gs://${module.staging.name}/staging"
  temp_location    = "gs://${module.staging.name}/temp"

  # A new release updates the running job in place: its name stays and the template's path changes
  # (https://github.com/hashicorp/terraform-provider-google/issues/20792).
  additional_experiments = ["create_or_update_job"]
  on_delete              = "drain" # cancelling would lose what is in flight
  labels                 = merge(local.labels, { stream = each.key, domain = each.value.domain })

  depends_on = [
    google_artifact_registry_repository_iam_member.worker_reads,
    google_compute_firewall.workers,
  ]
}

check "names_of_streams" {
  assert {
    condition     = length(setsubtract(keys(var.workers), keys(module.inventory.streams))) == 0
    error_message = "workers names a stream that dataflow/contracts does not have."
  }
}
