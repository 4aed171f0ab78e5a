{# Keys that silver computes. #}

{# A readable key for the user of an event, unique across projects. #}
{% macro user_key(project_id, amplitude_id, user_id, device_id) -%}
    cast({{ project_id }} as varchar) || '-' || coalesce(
        cast({{ amplitude_id }} as varchar), 'user:' || {{ user_id }}, 'device:' || {{ device_id }}, 'unknown'
    )
{%- endmacro %}

{#
    A fixed-length hash over several columns, the same on every engine. A NULL is hashed as backslash and N. Snowflake
    treats a backslash in a string literal as an escape, so it is doubled there.
#}
{% macro surrogate_key(columns) -%}
    md5(
        {%- for column in columns %}
        coalesce(cast({{ column }} as varchar), '{{ "\\\\" if target.type == "snowflake" else "\\" }}N'){{ " || '|' ||" if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#
    Text that sorts events by time and then uuid, without ties, so that max_by and min_by are deterministic.
#}
{% macro moment_key(timestamp, uuid) -%}
    cast({{ epoch_us(timestamp) }} + 500000000000000000 as varchar) || {{ uuid }}
{%- endmacro %}

{# The value of the first (or, below, the last) event that has one. #}
{% macro first_value_of(column, moment='moment') -%}
    min_by({{ column }}, case when {{ column }} is not null then {{ moment }} end)
{%- endmacro %}

{% macro last_value_of(column, moment='moment') -%}
    max_by({{ column }}, case when {{ column }} is not null then {{ moment }} end)
{%- endmacro %}
