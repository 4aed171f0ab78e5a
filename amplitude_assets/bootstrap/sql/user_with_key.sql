-- The pipeline's service user. It can only sign in with its key.
create user if not exists {user}
    type = service
    comment = 'The Amplitude pipeline';

alter user {user} set
    rsa_public_key = {public_key}
    default_role = {role}
    default_warehouse = {warehouse}
    default_namespace = {database}
    timezone = 'UTC'
    timestamp_type_mapping = 'TIMESTAMP_NTZ';

grant role {role} to user {user};
