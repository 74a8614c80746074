variable "project_id" {
  description = "The Google Cloud project that holds everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project id is 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "operators" {
  description = "IAM members that may apply the other roots: they read and write the state."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(serviceAccount|group|principal|principalSet):", member))])
    error_message = "An operator is serviceAccount:, group:, principal: or principalSet:."
  }
}
