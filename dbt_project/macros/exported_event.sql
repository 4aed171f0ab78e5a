{#
    The exported event: its 55 columns, their types, and how each engine reads them from one JSON value. Names are
    Amplitude's; three of them lose their dollar sign, and `$schema` becomes schema_version because `schema` is a
    keyword.
#}

{% macro exported_columns() %}
    {% set columns = [] %}
    {% for key, type in {
            'uuid': 'text', '$insert_id': 'text', '$insert_key': 'text', '$schema': 'integer',
            'app': 'integer', 'amplitude_id': 'integer', 'user_id': 'text', 'device_id': 'text',
            'session_id': 'integer', 'event_id': 'integer', 'event_type': 'text',
            'amplitude_event_type': 'text', 'data_type': 'text', 'event_time': 'timestamp',
            'client_event_time': 'timestamp', 'client_upload_time': 'timestamp',
            'server_received_time': 'timestamp', 'server_upload_time': 'timestamp',
            'processed_time': 'timestamp', 'user_creation_time': 'timestamp',
            'event_properties': 'json', 'user_properties': 'json', 'groups': 'json',
            'group_properties': 'json', 'data': 'json', 'plan': 'json',
            'global_user_properties': 'json', 'platform': 'text', 'os_name': 'text',
            'os_version': 'text', 'device_brand': 'text', 'device_manufacturer': 'text',
            'device_model': 'text', 'device_family': 'text', 'device_type': 'text',
            'device_carrier': 'text', 'language': 'text', 'country': 'text', 'region': 'text',
            'city': 'text', 'dma': 'text', 'location_lat': 'double', 'location_lng': 'double',
            'ip_address': 'text', 'library': 'text', 'version_name': 'text', 'start_version': 'text',
            'paying': 'boolean', 'is_attribution_event': 'boolean', 'adid': 'text', 'idfa': 'text',
            'amplitude_attribution_ids': 'json', 'sample_rate': 'double', 'partner_id': 'text',
            'source_id': 'text',
    }.items() %}
        {% set name = 'schema_version' if key == '$schema' else key | replace('$', '') %}
        {% do columns.append({'key': key, 'name': name, 'type': type}) %}
    {% endfor %}
    {{ return(columns) }}
{% endmacro %}

{# One JSON event, prepared for exported_value. DuckDB parses it once, into a struct. #}
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

{# One typed column of an event prepared by parse_exported. #}
{% macro exported_value(event, column) -%}
    {%- set raw = adapter.dispatch('exported_raw')(event, column) -%}
    {{ raw if column.type == 'json' else typed_value(raw, column.type) }}
{%- endmacro %}

{% macro duckdb__exported_raw(event, column) -%}
    {{ event }}."{{ column.key }}"
{%- endmacro %}

{% macro snowflake__exported_raw(event, column) -%}
    {%- if column.type == 'json' -%} strip_null_value({{ event }}:"{{ column.key }}")
    {%- else -%} {{ event }}:"{{ column.key }}"::varchar
    {%- endif -%}
{%- endmacro %}
