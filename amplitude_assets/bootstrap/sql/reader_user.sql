-- The service user of a dashboard tool, which reads gold. It can only sign in with its key.
create user if not exists {reader}
    type = service
    comment = 'Reads the Amplitude models';

alter user {reader} set
    rsa_public_key = {reader_key}
    default_role = {reader}
    default_warehouse = {reader_warehouse}
    default_namespace = {database};

grant role {reader} to user {reader};
