-- The database and its schemas. With managed access, only a schema's owner grants privileges on its objects.
create database if not exists {database}
    comment = 'Amplitude events: bronze as exported, silver normalised, gold for analysis';

create schema if not exists {database}.bronze with managed access;

create schema if not exists {database}.silver with managed access data_retention_time_in_days = 1;

create schema if not exists {database}.gold with managed access data_retention_time_in_days = 1;
