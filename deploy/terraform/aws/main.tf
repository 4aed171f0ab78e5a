# The set-up of AWS, the same as `amplitude-assets bootstrap aws` creates: the lake's bucket, the
# pipeline's policy, and the role that Snowflake assumes.

terraform {
  required_version = ">= 1.7"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60, < 7.0"
    }
  }
}

locals {
  objects = var.prefix == "" ? "${aws_s3_bucket.lake.arn}/*" : "${aws_s3_bucket.lake.arn}/${var.prefix}/*"
  trusted = var.snowflake_user_arn != null
}

resource "aws_s3_bucket" "lake" {
  bucket = var.bucket

  lifecycle {
    # The lake is the only copy of the history, so it can only be deleted by hand.
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "lake" {
  bucket = aws_s3_bucket.lake.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "lake" {
  bucket                  = aws_s3_bucket.lake.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "lake" {
  bucket = aws_s3_bucket.lake.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id
  rule {
    bucket_key_enabled = var.kms_key_arn != null
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "lake" {
  bucket = aws_s3_bucket.lake.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.lake.arn, "${aws_s3_bucket.lake.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
  depends_on = [aws_s3_bucket_public_access_block.lake]
}

locals {
  listing = [
    merge(
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = aws_s3_bucket.lake.arn
      },
      var.prefix == "" ? {} : {
        Condition = { StringLike = { "s3:prefix" = [var.prefix, "${var.prefix}/*"] } }
      },
    ),
    {
      Sid      = "Region"
      Effect   = "Allow"
      Action   = ["s3:GetBucketLocation"]
      Resource = aws_s3_bucket.lake.arn
    },
  ]
}

resource "aws_iam_policy" "writer" {
  name        = "amplitude-assets-writer"
  description = "The pipeline's access to the lake"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid    = "Objects"
        Effect = "Allow"
        Action = [
          "s3:GetObject",
          "s3:PutObject",
          "s3:DeleteObject",
          "s3:AbortMultipartUpload",
          "s3:ListMultipartUploadParts",
        ]
        Resource = local.objects
      }],
      local.listing,
      var.kms_key_arn == null ? [] : [{
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource = var.kms_key_arn
      }],
    )
  })
}

resource "aws_iam_policy" "reader" {
  name        = "amplitude-assets-snowflake-reader"
  description = "Snowflake's access to the lake"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "Objects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = local.objects
      }],
      local.listing,
      var.kms_key_arn == null ? [] : [{
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = var.kms_key_arn
      }],
    )
  })
}

resource "aws_iam_role" "snowflake" {
  name               = "amplitude-assets-snowflake"
  description        = "Snowflake reads the Amplitude lake with it"
  assume_role_policy = local.trusted ? local.trust_in_snowflake : local.trust_in_nobody
}

locals {
  trust_in_snowflake = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Snowflake"
      Effect    = "Allow"
      Principal = { AWS = var.snowflake_user_arn }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "sts:ExternalId" = var.snowflake_external_id } }
    }]
  })

  trust_in_nobody = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Nobody"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "reader" {
  role       = aws_iam_role.snowflake.name
  policy_arn = aws_iam_policy.reader.arn
}
