variable "project_id" {
  description = "The Google Cloud project that takes the place of $${project} in the files of iam/."
  type        = string
}
