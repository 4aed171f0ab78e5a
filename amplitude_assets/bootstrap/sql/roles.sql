-- Roles and grants. The pipeline's user has {role}, which inherits from the loader and the transformer.
create role if not exists {loader} comment = 'Writes bronze from the lake';

create role if not exists {transformer} comment = 'Reads bronze, writes silver and gold';

create role if not exists {reader} comment = 'Reads gold';

create role if not exists {role} comment = 'The pipeline: loads, then transforms';

grant role {loader} to role {role};

grant role {transformer} to role {role};

grant role {role} to role sysadmin;

grant role {reader} to role sysadmin;

grant usage on database {database} to role {loader};

grant usage on database {database} to role {transformer};

grant usage on database {database} to role {reader};

grant usage, operate on warehouse {warehouse} to role {loader};

grant usage, operate on warehouse {warehouse} to role {transformer};

grant usage on warehouse {reader_warehouse} to role {reader};

grant usage, create table on schema {database}.bronze to role {loader};

grant usage, create view on schema {database}.bronze to role {transformer};

grant select on all tables in schema {database}.bronze to role {transformer};

grant select on future tables in schema {database}.bronze to role {transformer};

grant usage, create table, create view on schema {database}.silver to role {transformer};

grant usage, create table, create view on schema {database}.gold to role {transformer};

grant usage on schema {database}.gold to role {reader};

grant select on all tables in schema {database}.gold to role {reader};

grant select on future tables in schema {database}.gold to role {reader};

grant select on all views in schema {database}.gold to role {reader};

grant select on future views in schema {database}.gold to role {reader};

-- When the role was dropped and created again, its tables and views belong to another role.
grant ownership on all tables in schema {database}.bronze to role {role} copy current grants;

grant ownership on all views in schema {database}.bronze to role {role} copy current grants;

grant ownership on all tables in schema {database}.silver to role {role} copy current grants;

grant ownership on all views in schema {database}.silver to role {role} copy current grants;

grant ownership on all tables in schema {database}.gold to role {role} copy current grants;

grant ownership on all views in schema {database}.gold to role {role} copy current grants;
