output "name" {
  description = "The bucket's name; known only when its members have their roles."
  value       = google_storage_bucket.bucket.name
  depends_on  = [google_storage_bucket_iam_member.member]
}
