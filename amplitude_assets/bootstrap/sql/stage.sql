-- The external stage over the lake, and the format of its files.
create file format if not exists {database}.bronze.amplitude_json
    type = json
    compression = gzip
    allow_duplicate = true;

create stage if not exists {stage}
    url = {location}
    storage_integration = {integration}
    file_format = (format_name = '{database}.bronze.amplitude_json');

grant usage on file format {database}.bronze.amplitude_json to role {loader};

grant usage on stage {stage} to role {loader};
