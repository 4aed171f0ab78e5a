{#
    Typed values from an exported event, for both engines. Used in models/bronze and in the first models of silver; the
    other models read plain columns. A value of the wrong type becomes NULL, so no row fails.
#}

{# Convert text to an integer. #}
{% macro to_integer(text) -%}
    {{ return(adapter.dispatch('to_integer')(text)) }}
{%- endmacro %}

{% macro duckdb__to_integer(text) -%}
    try_cast({{ text }} as bigint)
{%- endmacro %}

{% macro snowflake__to_integer(text) -%}
    try_to_number({{ text }}, 38, 0)
{%- endmacro %}

{# Convert text to a floating-point number. #}
{% macro to_double(text) -%}
    {{ return(adapter.dispatch('to_double')(text)) }}
{%- endmacro %}

{% macro duckdb__to_double(text) -%}
    try_cast({{ text }} as double)
{%- endmacro %}

{% macro snowflake__to_double(text) -%}
    try_to_double({{ text }})
{%- endmacro %}

{# Convert text to an exact decimal, for money. #}
{% macro to_decimal(text) -%}
    {{ return(adapter.dispatch('to_decimal')(text)) }}
{%- endmacro %}

{% macro duckdb__to_decimal(text) -%}
    try_cast({{ text }} as decimal(38, 9))
{%- endmacro %}

{% macro snowflake__to_decimal(text) -%}
    try_to_decimal({{ text }}, 38, 9)
{%- endmacro %}

{# Convert text to a boolean: true and 1, false and 0, in any letter case. #}
{% macro to_boolean(text) -%}
    case lower({{ text }}) when 'true' then true when '1' then true when 'false' then false when '0' then false end
{%- endmacro %}

{#
    Convert text to a timestamp, UTC without zone: `2026-09-01 05:00:00.123456`. The fraction is optional; a T instead
    of the space and a trailing Z are accepted. Only the years 1000 to 2999, because engines and drivers disagree
    beyond them.
#}
{% macro to_timestamp(text) -%}
    {{ return(adapter.dispatch('to_timestamp')(text)) }}
{%- endmacro %}

{# Nearly every time matches the first pattern, which is much faster than the second. #}
{% macro duckdb__to_timestamp(text) -%}
    case
        when {{ text }} like '2___-__-__ __:__:__.______' then try_cast({{ text }} as timestamp)
        when {{ text }} similar to '[12][0-9]{3}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z?' then try_cast({{ text }} as timestamp)
    end
{%- endmacro %}

{% macro snowflake__to_timestamp(text) -%}
    case
        when {{ text }} rlike '[12][0-9]{3}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z?'
            then coalesce(
                try_to_timestamp_ntz(rtrim(replace({{ text }}, 'T', ' '), 'Z'), 'YYYY-MM-DD HH24:MI:SS.FF'),
                try_to_timestamp_ntz(rtrim(replace({{ text }}, 'T', ' '), 'Z'), 'YYYY-MM-DD HH24:MI:SS')
            )
    end
{%- endmacro %}

{# Convert text to a type: text, integer, number (exact), double, boolean or timestamp. #}
{% macro typed_value(text, type) -%}
    {%- if type == 'text' -%} {{ text }}
    {%- elif type == 'integer' -%} {{ to_integer(text) }}
    {%- elif type == 'number' -%} {{ to_decimal(text) }}
    {%- elif type == 'double' -%} {{ to_double(text) }}
    {%- elif type == 'boolean' -%} {{ to_boolean(text) }}
    {%- elif type == 'timestamp' -%} {{ to_timestamp(text) }}
    {%- else -%}
        {{ exceptions.raise_compiler_error("Unknown type '" ~ type ~ "'; it must be text, integer, number, double, boolean or timestamp") }}
    {%- endif -%}
{%- endmacro %}

{# Microseconds since 1970. #}
{% macro epoch_us(timestamp) -%}
    {{ return(adapter.dispatch('epoch_us')(timestamp)) }}
{%- endmacro %}

{% macro duckdb__epoch_us(timestamp) -%}
    epoch_us({{ timestamp }})
{%- endmacro %}

{% macro snowflake__epoch_us(timestamp) -%}
    date_part(epoch_microsecond, {{ timestamp }})
{%- endmacro %}
