{# The two reporting settings, and the one place that reads each of them. #}

{# The time zone of a reporting day, an IANA name. #}
{% macro project_timezone() -%}
    {{ return(env_var('PROJECT_TIMEZONE', 'UTC')) }}
{%- endmacro %}

{# The first day of a reporting week: monday or sunday. #}
{% macro week_start() -%}
    {% set day = env_var('WEEK_START', 'monday') | lower %}
    {% if day not in ('monday', 'sunday') %}
        {{ exceptions.raise_compiler_error("WEEK_START is '" ~ day ~ "'; write monday or sunday") }}
    {% endif %}
    {{ return(day) }}
{%- endmacro %}
