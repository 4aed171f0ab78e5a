{# The only readers of the reporting settings and of the warehouse for rebuilds. #}

{# The IANA name of the time zone of a reporting day. #}
{% macro project_timezone() -%}
    {{ return(env_var('PROJECT_TIMEZONE', 'UTC')) }}
{%- endmacro %}

{# The first day of a reporting week: monday or sunday. #}
{% macro week_start() -%}
    {% set day = env_var('WEEK_START', 'monday') | lower %}
    {% if day not in ('monday', 'sunday') %}
        {{ exceptions.raise_compiler_error("WEEK_START is '" ~ day ~ "'; it must be monday or sunday") }}
    {% endif %}
    {{ return(day) }}
{%- endmacro %}

{#
    Before each model of a rebuild: switch the session to SNOWFLAKE_REBUILD_WAREHOUSE. dbt's own `snowflake_warehouse`
    cannot do this, because dbt reads it before it knows whether the run is a rebuild.
#}
{% macro use_rebuild_warehouse() -%}
    {%- set warehouse = env_var('SNOWFLAKE_REBUILD_WAREHOUSE', '') -%}
    {%- if execute and warehouse and target.type == 'snowflake' and (flags.FULL_REFRESH or batch_is_rebuild()) -%}
        use warehouse {{ warehouse }}
    {%- endif -%}
{%- endmacro %}
