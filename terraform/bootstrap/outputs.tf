output "bucket" {
  description = "What the other roots are initialized with: terraform init -backend-config=bucket=BUCKET."
  value       = module.state.name
}
