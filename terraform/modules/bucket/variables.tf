variable "project_id" {
  description = "The project of the bucket."
  type        = string
}

variable "name" {
  description = "The bucket's name, unique in the world."
  type        = string
}

variable "region" {
  description = "Where its objects are."
  type        = string
}

variable "kms_key_name" {
  description = "The key that its objects rest under."
  type        = string
}

variable "expire_days" {
  description = "Prefix -> days after which objects below it are deleted."
  type        = map(number)
  default     = {}
}

variable "retention_days" {
  description = "Days in which no object can be changed or deleted, by anybody; null: they can."
  type        = number
  default     = null
}

variable "retention_locked" {
  description = "Lock the retention: for good, nobody can shorten it or delete the bucket before it ends."
  type        = bool
  default     = false
}

variable "members" {
  description = "Who may do what: a name for the plan -> role and IAM member."
  type        = map(object({ role = string, member = string }))
  default     = {}
}

variable "labels" {
  description = "Labels of the bucket."
  type        = map(string)
  default     = {}
}
