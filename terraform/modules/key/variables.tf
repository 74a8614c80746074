variable "name" {
  description = "Name of the key, for what it protects."
  type        = string
}

variable "key_ring" {
  description = "Id of the key ring."
  type        = string
}

variable "users" {
  description = "Who may encrypt and decrypt with it: a name for the plan -> IAM member."
  type        = map(string)
}

variable "protection_level" {
  description = "SOFTWARE or HSM."
  type        = string
  default     = "SOFTWARE"

  validation {
    condition     = contains(["SOFTWARE", "HSM"], var.protection_level)
    error_message = "protection_level is SOFTWARE or HSM."
  }
}

variable "labels" {
  description = "Labels of the key."
  type        = map(string)
  default     = {}
}
