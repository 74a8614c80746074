# A plan of the whole root, with the cloud's answers made up.

mock_provider "google" {
  override_during = plan

  mock_resource "google_kms_crypto_key" {
    defaults = { id = "projects/noren-test/locations/asia-northeast1/keyRings/noren-bootstrap/cryptoKeys/state" }
  }
}

variables {
  project_id = "noren-test"
  operators  = ["group:operators@example.com"]
}

run "plan" {
  command = plan

  assert {
    condition     = output.bucket == "noren-test-noren-state"
    error_message = "The bucket is named for the project."
  }
}
