# One key, and who may use it: nobody but the members given here.

resource "google_kms_crypto_key" "key" {
  name                       = var.name
  key_ring                   = var.key_ring
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "7776000s" # 90 days
  destroy_scheduled_duration = "2592000s" # 30 days to change one's mind
  deletion_policy            = "PREVENT"
  labels                     = var.labels

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = var.protection_level
  }

  lifecycle {
    prevent_destroy = true # what it encrypted is lost with it
  }
}

resource "google_kms_crypto_key_iam_member" "user" {
  for_each = var.users

  crypto_key_id = google_kms_crypto_key.key.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}
