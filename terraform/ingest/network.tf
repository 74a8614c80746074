# Workers have no address that the internet can reach, and no NAT that reaches the internet: Google's APIs alone.

resource "google_compute_network" "workers" {
  project                 = var.project_id
  name                    = "noren-workers"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "workers" {
  project                  = var.project_id
  name                     = "noren-workers"
  region                   = local.region
  network                  = google_compute_network.workers.id
  ip_cidr_range            = var.subnet
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.5
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

# Workers of one job talk to each other: https://cloud.google.com/dataflow/docs/guides/routes-firewall
resource "google_compute_firewall" "workers" {
  project                 = var.project_id
  name                    = "noren-workers"
  network                 = google_compute_network.workers.id
  direction               = "INGRESS"
  source_service_accounts = [local.worker.email]
  target_service_accounts = [local.worker.email]

  allow {
    protocol = "tcp"
    ports    = ["12345-12346"]
  }
}
