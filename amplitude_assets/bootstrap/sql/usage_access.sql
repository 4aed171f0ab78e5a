-- Lets {role} read the account's query history and metering, for `amplitude-assets costs` and the report. Both roles
-- show the usage of the whole account, including the text of other users' statements.
grant database role snowflake.governance_viewer to role {role};

grant database role snowflake.usage_viewer to role {role};
