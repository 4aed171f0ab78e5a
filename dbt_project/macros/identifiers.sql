{# The only reader of the variable absent_identifiers. #}

{# An id as sent, text or number, or NULL if it is a placeholder for a missing id. #}
{% macro identifier(column) -%}
    case
        when lower(trim(cast({{ column }} as varchar))) not in (
            {%- for value in var('absent_identifiers') %}'{{ value }}'{{ ', ' if not loop.last }}{% endfor -%}
        ) then {{ column }}
    end
{%- endmacro %}
