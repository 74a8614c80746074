# One stream's topics and who may use them.

mock_provider "google" {
  override_during = plan

  mock_resource "google_pubsub_schema" {
    defaults = { id = "projects/noren-test/schemas/mocked" }
  }
}

override_resource {
  target          = google_pubsub_schema.rows
  override_during = plan
  values          = { id = "projects/noren-test/schemas/app-event-anonymized" }
}

override_resource {
  target          = google_pubsub_topic.dead_letter
  override_during = plan
  values          = { id = "projects/noren-test/topics/app-event-dead-letter" }
}

variables {
  project_id = "noren-test"
  region     = "asia-northeast1"
  name       = "app_event"
  stream = {
    domain           = "app"
    topic            = "app-event"
    subscription     = "app-event-anonymizer"
    anonymized_topic = "app-event-anonymized"
    dead_letter      = "app-event-dead-letter"
  }
  definitions  = { events = "syntax = \"proto3\";", rows = "syntax = \"proto3\";" }
  kms_key_name = "projects/noren-test/locations/asia-northeast1/keyRings/noren/cryptoKeys/messages"
  publishers   = ["serviceAccount:collector@noren-test.iam.gserviceaccount.com"]
  worker       = "serviceAccount:anonymizer@noren-test.iam.gserviceaccount.com"
  pubsub_agent = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
}

run "plan" {
  command = plan

  assert {
    condition = alltrue([
      for topic in [google_pubsub_topic.events, google_pubsub_topic.anonymized, google_pubsub_topic.dead_letter] :
      topic.kms_key_name == var.kms_key_name
      && topic.message_storage_policy[0].allowed_persistence_regions == toset(["asia-northeast1"])
      && topic.message_storage_policy[0].enforce_in_transit
    ])
    error_message = "Every topic needs the key and the region."
  }

  assert {
    condition     = length(google_pubsub_topic.events.schema_settings) == 0
    error_message = "The broker must not refuse events that the anonymizer would count."
  }

  assert {
    condition     = google_pubsub_topic.anonymized.schema_settings[0].schema == "projects/noren-test/schemas/app-event-anonymized" && google_pubsub_topic.anonymized.schema_settings[0].encoding == "JSON"
    error_message = "What the anonymizer publishes must fit the schema of the anonymized rows."
  }

  assert {
    condition = alltrue([
      for subscription in [google_pubsub_subscription.anonymizer, google_pubsub_subscription.dead_letter] :
      subscription.expiration_policy[0].ttl == ""
      && subscription.message_retention_duration == "604800s"
      && subscription.deletion_policy == "PREVENT"
    ])
    error_message = "A subscription never expires, keeps seven days and is not deleted by accident."
  }

  assert {
    condition     = google_pubsub_subscription.dead_letter.topic == google_pubsub_topic.dead_letter.id && google_pubsub_subscription.anonymizer.dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.dead_letter.id
    error_message = "Dead letters need a topic that has a subscription."
  }

  assert {
    condition = alltrue([
      google_pubsub_topic_iam_member.agent_publishes_dead_letters.member == var.pubsub_agent,
      google_pubsub_topic_iam_member.agent_publishes_dead_letters.topic == "app-event-dead-letter",
      google_pubsub_subscription_iam_member.agent_acknowledges_dead_letters.member == var.pubsub_agent,
      google_pubsub_subscription_iam_member.agent_acknowledges_dead_letters.subscription == "app-event-anonymizer",
      google_pubsub_subscription_iam_member.agent_acknowledges_dead_letters.role == "roles/pubsub.subscriber",
    ])
    error_message = "Pub/Sub's agent publishes dead letters and acknowledges their originals, or dead-lettering fails silently."
  }

  assert {
    condition     = [for grant in google_pubsub_topic_iam_member.publisher : "${grant.topic} ${grant.role}"] == ["app-event roles/pubsub.publisher"]
    error_message = "A publisher publishes on the topic of events."
  }

  assert {
    condition     = google_pubsub_topic_iam_member.worker_publishes_rows.topic == "app-event-anonymized"
    error_message = "The worker publishes anonymized rows and no events."
  }
}

run "enforcing_on_events_is_a_switch" {
  command = plan

  variables {
    enforce_schema = true
  }

  assert {
    condition     = google_pubsub_topic.events.schema_settings[0].encoding == "JSON"
    error_message = "enforce_schema must put the schema on the topic of events."
  }
}
