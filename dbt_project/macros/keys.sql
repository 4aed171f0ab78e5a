{# Keys that silver makes. #}

{# A readable key for the person behind an event, within the project. #}
{% macro user_key(project_id, amplitude_id, user_id, device_id) -%}
    cast({{ project_id }} as varchar) || '-' || coalesce(
        cast({{ amplitude_id }} as varchar), 'user:' || {{ user_id }}, 'device:' || {{ device_id }}, 'unknown'
    )
{%- endmacro %}

{# A fixed-length key over several columns, the same on every engine. A NULL counts as a value. #}
{% macro surrogate_key(columns) -%}
    md5(
        {%- for column in columns %}
        coalesce(cast({{ column }} as varchar), '\N'){{ " || '|' ||" if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
