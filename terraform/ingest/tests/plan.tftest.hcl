# A plan of the jobs over the repository's own contracts, with the cloud's answers made up.

mock_provider "google" {}

mock_provider "google-beta" {
  alias = "launcher"
}

override_resource {
  target          = module.templates.google_storage_bucket.bucket
  override_during = plan
}

variables {
  project_id = "noren-test"
  release    = "0123456789abcdef0123456789abcdef01234567"
  workers    = { app_event = { max_workers = 20 } }
}

run "plan" {
  command = plan

  assert {
    condition     = toset(keys(google_dataflow_flex_template_job.anonymizer)) == toset([for file in fileset("../../dataflow/contracts", "*.yaml") : trimsuffix(file, ".yaml")])
    error_message = "There must be a job for every contract, and for nothing else."
  }

  assert {
    condition     = google_dataflow_flex_template_job.anonymizer["app_event"].name == "app-event-anonymizer" && google_dataflow_flex_template_job.anonymizer["app_event"].parameters["subscription"] == "projects/noren-test/subscriptions/app-event-anonymizer"
    error_message = "The job is named for its subscription and reads it."
  }

  assert {
    condition     = google_dataflow_flex_template_job.anonymizer["app_event"].container_spec_gcs_path == "gs://noren-test-noren-templates/anonymizer/0123456789abcdef0123456789abcdef01234567.json"
    error_message = "The template is the release's own."
  }

  assert {
    condition = alltrue([
      for job in google_dataflow_flex_template_job.anonymizer :
      job.ip_configuration == "WORKER_IP_PRIVATE"
      && job.kms_key_name == "projects/noren-test/locations/${module.inventory.region}/keyRings/noren/cryptoKeys/pipeline"
      && job.service_account_email == "anonymizer@noren-test.iam.gserviceaccount.com"
      && job.on_delete == "drain"
    ])
    error_message = "A job has private workers, our key, the worker's identity, and drains when it is deleted."
  }

  assert {
    condition     = google_artifact_registry_repository.images.kms_key_name == "projects/noren-test/locations/${module.inventory.region}/keyRings/noren/cryptoKeys/pipeline"
    error_message = "Images rest under our key."
  }

  assert {
    condition     = [for name in ["app_event", "checkin"] : google_dataflow_flex_template_job.anonymizer[name].max_workers] == [20, 4] && google_dataflow_flex_template_job.anonymizer["app_event"].machine_type == "n2-standard-2"
    error_message = "workers overrides what it names and nothing else."
  }
}

run "no_job_without_a_release" {
  command = plan

  variables {
    release = null
  }

  assert {
    condition     = length(google_dataflow_flex_template_job.anonymizer) == 0
    error_message = "Network, buckets and registry come first; jobs when there is an image."
  }
}
