-- Snowflake's way to the bucket. Never replaced: a new one has a new external id, and the trust of
-- the AWS role and every stage over the old one would be gone.
create storage integration if not exists {integration}
    type = external_stage
    storage_provider = 's3'
    enabled = true
    storage_aws_role_arn = {role_arn}
    storage_allowed_locations = ({location});

grant usage on integration {integration} to role {loader};
