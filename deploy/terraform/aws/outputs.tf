output "lake_url" {
  description = "The value of LAKE_URL."
  value       = var.prefix == "" ? "s3://${aws_s3_bucket.lake.bucket}" : "s3://${aws_s3_bucket.lake.bucket}/${var.prefix}"
}

output "writer_policy_arn" {
  description = "The policy to attach to the pipeline's identity."
  value       = aws_iam_policy.writer.arn
}

output "snowflake_role_arn" {
  description = "The value of bootstrap snowflake --role-arn."
  value       = aws_iam_role.snowflake.arn
}
