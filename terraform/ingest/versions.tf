terraform {
  required_version = ">= 1.11"

  # State names every member and key: keep it in a private, versioned bucket. The bucket's name is given at init:
  #   terraform init -backend-config=bucket=BUCKET
  backend "gcs" {
    prefix = "noren/ingest"
  }

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "~> 8.7"
    }
  }
}

provider "google" {
  project        = var.project_id
  default_labels = local.labels
}

# Jobs are launched as the identity that may launch and nothing else; whoever applies needs roles/iam.serviceAccountTokenCreator on it.
provider "google-beta" {
  alias                       = "launcher"
  project                     = var.project_id
  impersonate_service_account = local.launcher
}
