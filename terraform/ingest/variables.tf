variable "project_id" {
  description = "The Google Cloud project that ../platform was applied to."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project id is 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "release" {
  description = "Git commit whose image and template are pushed; null while there is none, and then no job is launched."
  type        = string
  default     = null

  validation {
    condition     = var.release == null ? true : can(regex("^[0-9a-f]{40}$", var.release))
    error_message = "release is a full git commit, 40 hexadecimal digits: a moving tag would never update a job."
  }
}

variable "builders" {
  description = "IAM members that may push images and templates: CI, as a rule."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.builders : can(regex("^(serviceAccount|principal|principalSet):", member))])
    error_message = "A builder is serviceAccount:, principal: or principalSet:."
  }
}

variable "machine_type" {
  description = "Machine type of the workers."
  type        = string
  default     = "n2-standard-2"
}

variable "max_workers" {
  description = "The most workers that a job may have."
  type        = number
  default     = 4
}

variable "workers" {
  description = "Stream -> machine_type, max_workers, where one job needs others."
  type = map(object({
    machine_type = optional(string)
    max_workers  = optional(number)
  }))
  default = {}
}

variable "subnet" {
  description = "IPv4 range of the workers, in CIDR notation."
  type        = string
  default     = "10.20.0.0/24"
}
