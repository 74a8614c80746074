# Who may do what on the topics of one stream; nothing is granted on the project.

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = var.publishers

  project = var.project_id
  topic   = google_pubsub_topic.events.name
  role    = "roles/pubsub.publisher"
  member  = each.value
}

resource "google_pubsub_topic_iam_member" "worker_publishes_rows" {
  project = var.project_id
  topic   = google_pubsub_topic.anonymized.name
  role    = "roles/pubsub.publisher"
  member  = var.worker
}

# Viewer: Dataflow reads the subscription's settings before it pulls.
# A subscription that is replaced loses its grants without a trace in the state: hence replace_triggered_by
# (https://github.com/terraform-google-modules/terraform-google-pubsub/issues/173).
resource "google_pubsub_subscription_iam_member" "worker" {
  for_each = toset(["roles/pubsub.subscriber", "roles/pubsub.viewer"])

  project      = var.project_id
  subscription = google_pubsub_subscription.anonymizer.name
  role         = each.value
  member       = var.worker

  lifecycle {
    replace_triggered_by = [google_pubsub_subscription.anonymizer.id]
  }
}

resource "google_pubsub_subscription_iam_member" "worker_drains_dead_letters" {
  for_each = toset(["roles/pubsub.subscriber", "roles/pubsub.viewer"])

  project      = var.project_id
  subscription = google_pubsub_subscription.dead_letter.name
  role         = each.value
  member       = var.worker

  lifecycle {
    replace_triggered_by = [google_pubsub_subscription.dead_letter.id]
  }
}

# Dead-lettering is done by the broker's own agent: it publishes there, and acknowledges here.
resource "google_pubsub_topic_iam_member" "agent_publishes_dead_letters" {
  project = var.project_id
  topic   = google_pubsub_topic.dead_letter.name
  role    = "roles/pubsub.publisher"
  member  = var.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "agent_acknowledges_dead_letters" {
  project      = var.project_id
  subscription = google_pubsub_subscription.anonymizer.name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent

  lifecycle {
    replace_triggered_by = [google_pubsub_subscription.anonymizer.id]
  }
}
