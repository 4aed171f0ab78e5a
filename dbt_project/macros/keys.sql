{# Keys that silver makes. #}

{# A readable key for the person behind an event, within the project. #}
{% macro user_key(project_id, amplitude_id, user_id, device_id) -%}
    cast({{ project_id }} as varchar) || '-' || coalesce(
        cast({{ amplitude_id }} as varchar), 'user:' || {{ user_id }}, 'device:' || {{ device_id }}, 'unknown'
    )
{%- endmacro %}

{#
    A fixed-length key over several columns, the same on every engine. A NULL counts as a value, written
    as backslash and N; in text, Snowflake takes a single backslash away.
#}
{% macro surrogate_key(columns) -%}
    md5(
        {%- for column in columns %}
        coalesce(cast({{ column }} as varchar), '{{ "\\\\" if target.type == "snowflake" else "\\" }}N'){{ " || '|' ||" if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#
    Text that sorts as the events happened, and never ties: the event's time, then its uuid. It is
    what max_by and min_by need to give the same answer every time.
#}
{% macro moment_key(timestamp, uuid) -%}
    cast({{ epoch_us(timestamp) }} + 500000000000000000 as varchar) || {{ uuid }}
{%- endmacro %}

{# The value of the first or last event that has one. #}
{% macro first_value_of(column, moment='moment') -%}
    min_by({{ column }}, case when {{ column }} is not null then {{ moment }} end)
{%- endmacro %}

{% macro last_value_of(column, moment='moment') -%}
    max_by({{ column }}, case when {{ column }} is not null then {{ moment }} end)
{%- endmacro %}
