# Run by `terraform test`: plans with a mock of AWS, without an account.

mock_provider "aws" {
  override_during = plan
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::a-lake" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/p" }
  }
}

variables {
  bucket = "a-lake"
  prefix = "some/prefix"
}

run "nobody_is_trusted_before_snowflake_is_known" {
  command = plan
  assert {
    condition     = jsondecode(aws_iam_role.snowflake.assume_role_policy).Statement[0].Effect == "Deny"
    error_message = "The role must trust nobody without Snowflake's user."
  }
  assert {
    condition     = aws_s3_bucket_public_access_block.lake.restrict_public_buckets
    error_message = "The bucket must not be public."
  }
}

run "snowflake_is_trusted_with_its_external_id" {
  command = plan
  variables {
    snowflake_user_arn    = "arn:aws:iam::123456789001:user/abc"
    snowflake_external_id = "ABC_SFCRole=2"
  }
  assert {
    condition     = jsondecode(aws_iam_role.snowflake.assume_role_policy).Statement[0].Condition.StringEquals["sts:ExternalId"] == "ABC_SFCRole=2"
    error_message = "The trust policy must require the external id."
  }
}

run "snowflake_reads_and_no_more" {
  command = plan
  assert {
    condition     = join(" ", jsondecode(aws_iam_policy.reader.policy).Statement[0].Action) == "s3:GetObject s3:GetObjectVersion"
    error_message = "Snowflake must have read-only access."
  }
  assert {
    condition     = jsondecode(aws_iam_policy.reader.policy).Statement[0].Resource == "arn:aws:s3:::a-lake/some/prefix/*"
    error_message = "The policy must be limited to the prefix."
  }
}

run "a_prefix_with_slashes_is_refused" {
  command = plan
  variables {
    prefix = "/some/"
  }
  expect_failures = [var.prefix]
}
