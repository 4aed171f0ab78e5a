variable "bucket" {
  type        = string
  description = "The bucket of the lake, as in LAKE_URL."
}

variable "prefix" {
  type        = string
  default     = ""
  description = "The prefix of the lake in it, as in LAKE_URL, without slashes at its ends."

  validation {
    condition     = !startswith(var.prefix, "/") && !endswith(var.prefix, "/")
    error_message = "Write the prefix without slashes at its ends, such as amplitude/lake."
  }
}

variable "kms_key_arn" {
  type        = string
  default     = null
  description = "A KMS key to encrypt with, in place of S3's own keys."
}

variable "snowflake_user_arn" {
  type        = string
  default     = null
  description = "STORAGE_AWS_IAM_USER_ARN of DESC INTEGRATION. Unset: nobody may take on the role yet."
}

variable "snowflake_external_id" {
  type        = string
  default     = null
  description = "STORAGE_AWS_EXTERNAL_ID of DESC INTEGRATION."
}
