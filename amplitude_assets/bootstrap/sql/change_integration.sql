-- Changes the bucket or the role. The external id stays the same.
alter storage integration {integration} set
    storage_aws_role_arn = {role_arn}
    storage_allowed_locations = ({location});
