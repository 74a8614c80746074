# A private bucket under a key of ours.

resource "google_storage_bucket" "bucket" {
  #checkov:skip=CKV_GCP_62:who read and wrote is for Cloud Audit Logs; an access log would be one more bucket of its own
  project                     = var.project_id
  name                        = var.name
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  labels                      = var.labels

  # What is retained is never overwritten: there are no versions of it to keep.
  versioning {
    enabled = var.retention_days == null
  }

  dynamic "retention_policy" {
    for_each = var.retention_days == null ? [] : [var.retention_days]
    content {
      retention_period = retention_policy.value * 24 * 60 * 60
      is_locked        = var.retention_locked
    }
  }

  encryption {
    default_kms_key_name = var.kms_key_name
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.expire_days
    content {
      action {
        type = "Delete"
      }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = [lifecycle_rule.key]
      }
    }
  }
}

resource "google_storage_bucket_iam_member" "member" {
  for_each = var.members

  bucket = google_storage_bucket.bucket.name
  role   = each.value.role
  member = each.value.member
}
