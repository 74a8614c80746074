variable "project_id" {
  description = "The project of the topics."
  type        = string
}

variable "region" {
  description = "The only region where messages may rest or pass."
  type        = string
}

variable "name" {
  description = "The stream."
  type        = string
}

variable "stream" {
  description = "The stream's domain and names, as the inventory gives them."
  type = object({
    domain           = string
    topic            = string
    subscription     = string
    anonymized_topic = string
    dead_letter      = string
  })
}

variable "definitions" {
  description = "Protocol Buffer definitions of the events that apps publish and of the rows that the anonymizer publishes."
  type        = object({ events = string, rows = string })
}

variable "enforce_schema" {
  description = "Let the broker refuse events that do not fit the contract: they are then neither counted nor dead-lettered."
  type        = bool
  default     = false
}

variable "kms_key_name" {
  description = "The key that messages rest under."
  type        = string
}

variable "publishers" {
  description = "IAM members that may publish events."
  type        = set(string)
  default     = []
}

variable "worker" {
  description = "The IAM member that runs the anonymizer."
  type        = string
}

variable "pubsub_agent" {
  description = "The IAM member that is Pub/Sub's own service agent."
  type        = string
}

variable "labels" {
  description = "Labels of everything."
  type        = map(string)
  default     = {}
}
