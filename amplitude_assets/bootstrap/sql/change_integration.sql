-- The bucket or the role is another one now. The external id stays as it is.
alter storage integration {integration} set
    storage_aws_role_arn = {role_arn}
    storage_allowed_locations = ({location});
