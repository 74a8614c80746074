output "image" {
  description = "Where to push the image, tagged with the commit."
  value       = local.image
}

output "template" {
  description = "Where to put the template's spec, as <commit>.json."
  value       = local.template
}

output "jobs" {
  description = "Stream -> id of its running job."
  value       = { for name, job in google_dataflow_flex_template_job.anonymizer : name => job.job_id }
}
