terraform {
  required_version = ">= 1.11"

  # No backend: this root makes the bucket that the others keep their state in. Its own state names no member and no secret.
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }
}

provider "google" {
  project        = var.project_id
  default_labels = local.labels
}
