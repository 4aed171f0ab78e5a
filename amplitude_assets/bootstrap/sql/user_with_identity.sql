-- The pipeline's service user, which signs in as the AWS role of its machine.
create user if not exists {user}
    type = service
    workload_identity = (type = aws arn = {identity_arn})
    comment = 'The Amplitude pipeline';

alter user {user} set workload_identity = (type = aws arn = {identity_arn});

alter user {user} set
    default_role = {role}
    default_warehouse = {warehouse}
    default_namespace = {database}
    timezone = 'UTC'
    timestamp_type_mapping = 'TIMESTAMP_NTZ';

grant role {role} to user {user};
