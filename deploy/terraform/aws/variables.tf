variable "bucket" {
  type        = string
  description = "The bucket of the lake, as in LAKE_URL."
}

variable "prefix" {
  type        = string
  default     = ""
  description = "The prefix of the lake in the bucket, as in LAKE_URL, without outer slashes."

  validation {
    condition     = !startswith(var.prefix, "/") && !endswith(var.prefix, "/")
    error_message = "The prefix must not start or end with a slash, such as amplitude/lake."
  }
}

variable "kms_key_arn" {
  type        = string
  default     = null
  description = "The KMS key for encryption; unset: S3's own keys."
}

variable "snowflake_user_arn" {
  type        = string
  default     = null
  description = "STORAGE_AWS_IAM_USER_ARN of DESC INTEGRATION. Unset: nobody may assume the role yet."
}

variable "snowflake_external_id" {
  type        = string
  default     = null
  description = "STORAGE_AWS_EXTERNAL_ID of DESC INTEGRATION."
}
