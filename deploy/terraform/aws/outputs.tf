output "lake_url" {
  description = "For LAKE_URL."
  value       = var.prefix == "" ? "s3://${aws_s3_bucket.lake.bucket}" : "s3://${aws_s3_bucket.lake.bucket}/${var.prefix}"
}

output "writer_policy_arn" {
  description = "To attach to the identity that the pipeline runs as."
  value       = aws_iam_policy.writer.arn
}

output "snowflake_role_arn" {
  description = "For bootstrap snowflake --role-arn."
  value       = aws_iam_role.snowflake.arn
}
