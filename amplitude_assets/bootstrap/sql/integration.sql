-- Snowflake's access to the bucket. It is never replaced: a new integration has a new external id, which
-- would break the AWS role's trust policy and all stages that use the old one.
create storage integration if not exists {integration}
    type = external_stage
    storage_provider = 's3'
    enabled = true
    storage_aws_role_arn = {role_arn}
    storage_allowed_locations = ({location});

grant usage on integration {integration} to role {loader};
