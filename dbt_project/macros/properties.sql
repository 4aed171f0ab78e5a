{#
    One typed property from the semi-structured columns of an event. The key must be spelled exactly as sent. A value
    of another type is NULL.

        select event_time, {{ event_property('Total Price', 'number') }} as total_price
        from {{ ref('events') }}
        where {{ user_property('plan') }} = 'pro'

    becomes, on DuckDB, `try_cast(json_extract_string(event_properties, '/Total Price') as decimal(38, 9))`
    and on Snowflake, `try_to_decimal(event_properties:"Total Price"::varchar, 38, 9)`.
#}
{% macro event_property(key, type='text', column='event_properties') -%}
    {{ typed_value(json_text(column, key), type) }}
{%- endmacro %}

{# One typed user property at the time of the event; arguments as in event_property. #}
{% macro user_property(key, type='text', column='user_properties') -%}
    {{ typed_value(json_text(column, key), type) }}
{%- endmacro %}

{#
    The rows of the seed promoted_properties: the properties that get a typed column in silver.events. Models that
    call this must depend on the seed. No rows while dbt parses.
#}
{% macro promoted_properties() %}
    {% set promoted = [] %}
    {% set seed = silver_relation('promoted_properties') if execute else none %}
    {% if seed is not none %}
        {% for row in run_query('select scope, key, column_name, data_type from ' ~ seed ~ ' order by column_name').rows %}
            {% do promoted.append({'scope': row[0], 'key': row[1], 'column_name': row[2], 'data_type': row[3]}) %}
        {% endfor %}
    {% endif %}
    {{ return(promoted) }}
{% endmacro %}

{# The value of one promoted property. #}
{% macro promoted_value(property) -%}
    {{ user_property(property.key, property.data_type) if property.scope == 'user' else event_property(property.key, property.data_type) }}
{%- endmacro %}
