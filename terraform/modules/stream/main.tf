# The topics of one stream. Events come in on `events`, the anonymizer takes them from `anonymizer`, and what it publishes for
# other consumers leaves on `anonymized`. Why only the last one enforces its schema: ../../adr/0001-schemas-of-topics.md

locals {
  retention = "604800s" # 7 days, the most that a subscription keeps; the horizon of deduplication is at least this
  labels    = merge(var.labels, { stream = var.name, domain = var.stream.domain })
}

resource "google_pubsub_schema" "events" {
  project    = var.project_id
  name       = var.stream.topic
  type       = "PROTOCOL_BUFFER"
  definition = var.definitions.events
}

resource "google_pubsub_schema" "rows" {
  project    = var.project_id
  name       = var.stream.anonymized_topic
  type       = "PROTOCOL_BUFFER"
  definition = var.definitions.rows
}

# No retention of its own: events in clear are kept by the subscription until they are acknowledged, and no longer.
resource "google_pubsub_topic" "events" {
  project      = var.project_id
  name         = var.stream.topic
  kms_key_name = var.kms_key_name
  labels       = merge(local.labels, { lane = "raw" })

  dynamic "schema_settings" {
    for_each = var.enforce_schema ? [google_pubsub_schema.events.id] : []
    content {
      schema   = schema_settings.value
      encoding = "JSON"
    }
  }

  message_storage_policy {
    allowed_persistence_regions = [var.region]
    enforce_in_transit          = true
  }
}

resource "google_pubsub_topic" "dead_letter" {
  project      = var.project_id
  name         = var.stream.dead_letter
  kms_key_name = var.kms_key_name
  labels       = merge(local.labels, { lane = "raw" })

  message_storage_policy {
    allowed_persistence_regions = [var.region]
    enforce_in_transit          = true
  }
}

resource "google_pubsub_topic" "anonymized" {
  project                    = var.project_id
  name                       = var.stream.anonymized_topic
  kms_key_name               = var.kms_key_name
  message_retention_duration = local.retention # a new consumer can seek back
  labels                     = merge(local.labels, { lane = "pseudonymized" })

  schema_settings {
    schema   = google_pubsub_schema.rows.id
    encoding = "JSON"
  }

  message_storage_policy {
    allowed_persistence_regions = [var.region]
    enforce_in_transit          = true
  }
}

resource "google_pubsub_subscription" "anonymizer" {
  project                    = var.project_id
  name                       = var.stream.subscription
  topic                      = google_pubsub_topic.events.id
  ack_deadline_seconds       = 60
  message_retention_duration = local.retention
  retain_acked_messages      = false
  deletion_policy            = "PREVENT" # it holds events that nobody has counted yet
  labels                     = local.labels

  expiration_policy {
    ttl = "" # never: a quiet month must not delete it
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # The last resort, for a message that kills whoever takes it: a bad one is written to dead_letter.events by the anonymizer
  # itself, with its reason. 20 attempts with the backoff above are about two hours, so a broken release does not empty the
  # queue here. It works for the pull loop; Dataflow honours neither this policy nor the backoff
  # (https://cloud.google.com/dataflow/docs/concepts/streaming-with-cloud-pubsub#unsupported-features).
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letter.id
    max_delivery_attempts = 20
  }

  # Without its rights the broker would drop the dead letters without a word.
  depends_on = [google_pubsub_topic_iam_member.agent_publishes_dead_letters]
}

# A topic without a subscription keeps nothing: this one holds the dead letters until they are drained into dead_letter.events.
resource "google_pubsub_subscription" "dead_letter" {
  project                    = var.project_id
  name                       = var.stream.dead_letter
  topic                      = google_pubsub_topic.dead_letter.id
  ack_deadline_seconds       = 60
  message_retention_duration = local.retention
  retain_acked_messages      = false
  deletion_policy            = "PREVENT"
  labels                     = local.labels

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
}
