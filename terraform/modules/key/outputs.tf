output "id" {
  description = "The key's resource name; known only when its users may use it, or the first resource on it fails."
  value       = google_kms_crypto_key.key.id
  depends_on  = [google_kms_crypto_key_iam_member.user]
}
