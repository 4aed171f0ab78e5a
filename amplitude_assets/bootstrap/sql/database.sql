-- Where the tables are. With managed access, only the schema's owner grants rights on what is in it.
create database if not exists {database}
    comment = 'Amplitude events: bronze as exported, silver normalised, gold for people';

create schema if not exists {database}.bronze with managed access;

create schema if not exists {database}.silver with managed access data_retention_time_in_days = 1;

create schema if not exists {database}.gold with managed access data_retention_time_in_days = 1;
