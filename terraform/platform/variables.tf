variable "project_id" {
  description = "The Google Cloud project that holds everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project id is 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "publishers" {
  description = "Stream -> IAM members that may publish its events, and nothing else. Nobody by default."
  type        = map(set(string))
  default     = {}

  validation {
    condition = alltrue([
      for member in flatten([for members in values(var.publishers) : tolist(members)]) :
      can(regex("^(serviceAccount|group|principal|principalSet):", member))
    ])
    error_message = "A publisher is serviceAccount:, group:, principal: or principalSet:, never allUsers or a single person."
  }
}

variable "enforced_streams" {
  description = "Streams whose events the broker refuses when they do not fit the contract; see ../adr/0001-schemas-of-topics.md."
  type        = set(string)
  default     = []
}

variable "launchers" {
  description = "IAM members that may act as the launcher of jobs: who applies ../ingest. Nobody by default."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.launchers : can(regex("^(serviceAccount|group|principal|principalSet):", member))])
    error_message = "A launcher is serviceAccount:, group:, principal: or principalSet:, never allUsers or a single person."
  }
}

variable "repository" {
  description = "GitHub repository, OWNER/NAME, whose access workflow applies the access files. Null: none does."
  type        = string
  default     = null

  validation {
    condition     = var.repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "A repository is OWNER/NAME."
  }
}

variable "ledger_retention_days" {
  description = "Days in which no line of the ledger of access can be changed or deleted."
  type        = number
  default     = 1095

  validation {
    condition     = var.ledger_retention_days >= 1 && var.ledger_retention_days <= 36500
    error_message = "The ledger is retained for 1 to 36,500 days."
  }
}

variable "ledger_retention_locked" {
  description = "Lock that for good: nobody can shorten it any more."
  type        = bool
  default     = false
}

variable "key_protection" {
  description = "Protection level of the keys: SOFTWARE or HSM."
  type        = string
  default     = "SOFTWARE"
}
