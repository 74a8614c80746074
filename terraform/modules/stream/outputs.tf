output "topics" {
  description = "Ids of the topics: events, anonymized, dead_letter."
  value = {
    events      = google_pubsub_topic.events.id
    anonymized  = google_pubsub_topic.anonymized.id
    dead_letter = google_pubsub_topic.dead_letter.id
  }
}

output "subscriptions" {
  description = "Ids of the subscriptions: anonymizer, dead_letter."
  value = {
    anonymizer  = google_pubsub_subscription.anonymizer.id
    dead_letter = google_pubsub_subscription.dead_letter.id
  }
}
