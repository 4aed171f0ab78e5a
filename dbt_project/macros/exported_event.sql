{#
    The exported event: its 55 columns, their types, and how an engine reads them from one JSON value.
    Names are Amplitude's own; the three with a dollar sign lose it, and `$schema` would then be a
    keyword, so it is schema_version.
#}

{% macro exported_columns() %}
    {% set columns = [] %}
    {% for type, keys in {
        'text': [
            'uuid', '$insert_id', '$insert_key', 'user_id', 'device_id', 'event_type',
            'amplitude_event_type', 'data_type', 'platform', 'os_name', 'os_version', 'device_brand',
            'device_manufacturer', 'device_model', 'device_family', 'device_type', 'device_carrier',
            'language', 'country', 'region', 'city', 'dma', 'ip_address', 'library', 'version_name',
            'start_version', 'adid', 'idfa', 'partner_id', 'source_id',
        ],
        'integer': ['app', 'amplitude_id', 'session_id', 'event_id', '$schema'],
        'double': ['location_lat', 'location_lng', 'sample_rate'],
        'boolean': ['paying', 'is_attribution_event'],
        'timestamp': [
            'event_time', 'client_event_time', 'client_upload_time', 'server_received_time',
            'server_upload_time', 'processed_time', 'user_creation_time',
        ],
        'json': [
            'event_properties', 'user_properties', 'groups', 'group_properties', 'data', 'plan',
            'global_user_properties', 'amplitude_attribution_ids',
        ],
    }.items() %}
        {% for key in keys %}
            {% set name = {'$schema': 'schema_version'}.get(key, key | replace('$', '')) %}
            {% do columns.append({'key': key, 'name': name, 'type': type}) %}
        {% endfor %}
    {% endfor %}
    {{ return(columns) }}
{% endmacro %}

{# One JSON event, made ready for exported_value. DuckDB parses it here, once, into a struct. #}
{% macro parse_exported(event) -%}
    {{ return(adapter.dispatch('parse_exported')(event)) }}
{%- endmacro %}

{% macro duckdb__parse_exported(event) -%}
    {%- set shape = {} -%}
    {%- for column in exported_columns() -%}
        {%- do shape.update({column.key: 'JSON' if column.type == 'json' else 'VARCHAR'}) -%}
    {%- endfor -%}
    from_json({{ event }}, '{{ tojson(shape) }}')
{%- endmacro %}

{% macro snowflake__parse_exported(event) -%}
    {{ event }}
{%- endmacro %}

{# One column of an event that parse_exported made ready, typed. #}
{% macro exported_value(event, column) -%}
    {%- set raw = adapter.dispatch('exported_raw')(event, column) -%}
    {%- if column.type == 'json' -%} {{ raw }}
    {%- elif column.type == 'integer' -%} {{ to_integer(raw) }}
    {%- elif column.type == 'double' -%} {{ to_double(raw) }}
    {%- elif column.type == 'boolean' -%} {{ to_boolean(raw) }}
    {%- elif column.type == 'timestamp' -%} {{ to_timestamp(raw) }}
    {%- else -%} {{ raw }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__exported_raw(event, column) -%}
    {{ event }}."{{ column.key }}"
{%- endmacro %}

{% macro snowflake__exported_raw(event, column) -%}
    {%- if column.type == 'json' -%} strip_null_value({{ event }}:"{{ column.key }}")
    {%- else -%} {{ event }}:"{{ column.key }}"::varchar
    {%- endif -%}
{%- endmacro %}
