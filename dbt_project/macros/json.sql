{#
    Reading semi-structured columns, for both engines. Objects have any keys: dots, spaces, `$`, keys
    that differ by case only.
#}

{# A top-level value of a JSON object as text: NULL if it is missing or null. #}
{% macro json_text(json, key) -%}
    {{ return(adapter.dispatch('json_text')(json, key)) }}
{%- endmacro %}

{% macro duckdb__json_text(json, key) -%}
    json_extract_string({{ json }}, '/{{ key | replace('~', '~0') | replace('/', '~1') | replace("'", "''") }}')
{%- endmacro %}

{% macro snowflake__json_text(json, key) -%}
    {{ json }}:"{{ key | replace('"', '""') }}"::varchar
{%- endmacro %}

{#
    Whether an object may have one of some keys: false only if it has none of them. Most objects are told
    apart so without parsing. Letters of a key may be written as `\u0024`. Snowflake has parsed them already.
#}
{% macro json_may_have(json, keys) -%}
    {{ return(adapter.dispatch('json_may_have')(json, keys)) }}
{%- endmacro %}

{% macro duckdb__json_may_have(json, keys) -%}
    {%- set text = 'cast(' ~ json ~ ' as varchar)' -%}
    (contains({{ text }}, '\u')
    {%- for key in keys %} or contains({{ text }}, '{{ key }}'){% endfor -%})
{%- endmacro %}

{% macro snowflake__json_may_have(json, keys) -%}
    true
{%- endmacro %}

{# A top-level value of a JSON object as JSON, the key in a column. #}
{% macro json_lookup(json, key) -%}
    {{ return(adapter.dispatch('json_lookup')(json, key)) }}
{%- endmacro %}

{% macro duckdb__json_lookup(json, key) -%}
    json_extract({{ json }}, '/' || replace(replace({{ key }}, '~', '~0'), '/', '~1'))
{%- endmacro %}

{% macro snowflake__json_lookup(json, key) -%}
    get({{ json }}, {{ key }})
{%- endmacro %}

{#
    The entries of a JSON object or array as rows, to put after a from clause: `alias.key` and
    `alias.value`. NULL has none.
#}
{% macro json_entries(json, alias) -%}
    {{ return(adapter.dispatch('json_entries')(json, alias)) }}
{%- endmacro %}

{% macro duckdb__json_entries(json, alias) -%}
    cross join json_each({{ json }}) as {{ alias }}
{%- endmacro %}

{% macro snowflake__json_entries(json, alias) -%}
    cross join lateral flatten(input => {{ json }}) as {{ alias }}
{%- endmacro %}

{# A JSON value as text, without the quotes of a string. #}
{% macro json_as_text(json) -%}
    {{ return(adapter.dispatch('json_as_text')(json)) }}
{%- endmacro %}

{% macro duckdb__json_as_text(json) -%}
    json_extract_string({{ json }}, '$')
{%- endmacro %}

{% macro snowflake__json_as_text(json) -%}
    {{ json }}::varchar
{%- endmacro %}

{# A JSON array as it is, and any other value as an array of one. #}
{% macro json_as_array(json) -%}
    {{ return(adapter.dispatch('json_as_array')(json)) }}
{%- endmacro %}

{% macro duckdb__json_as_array(json) -%}
    case when json_type({{ json }}) = 'ARRAY' then {{ json }} else json_array({{ json }}) end
{%- endmacro %}

{% macro snowflake__json_as_array(json) -%}
    to_array({{ json }})
{%- endmacro %}

{# Say whether a JSON value is an object. #}
{% macro json_is_object(json) -%}
    {{ return(adapter.dispatch('json_is_object')(json)) }}
{%- endmacro %}

{% macro duckdb__json_is_object(json) -%}
    json_type({{ json }}) = 'OBJECT'
{%- endmacro %}

{% macro snowflake__json_is_object(json) -%}
    is_object({{ json }})
{%- endmacro %}

{#
    A short text instead of a JSON object, equal for equal text; NULL for what is no object. Two texts share
    one by chance once in 2^64. What looks for changes reads this, and the objects of the changes only.
#}
{% macro json_object_hash(json) -%}
    case when {{ json_is_object(json) }} then left(md5(cast({{ json }} as varchar)), 16) end
{%- endmacro %}

{# JSON as text that is equal for equal values, whatever the order of their keys. #}
{% macro json_canonical(json) -%}
    {{ return(adapter.dispatch('json_canonical')(json)) }}
{%- endmacro %}

{# A VARIANT has its keys in order. Text nested out of all reason is left alone: it overflows the stack. #}
{% macro duckdb__json_canonical(json) -%}
    case
        when {{ json_brackets(json) }} < 2000 then cast(cast(cast({{ json }} as variant) as json) as varchar)
        else cast({{ json }} as varchar)
    end
{%- endmacro %}

{% macro snowflake__json_canonical(json) -%}
    to_json({{ json }})
{%- endmacro %}

{#
    How often each top-level key occurs, by its JSON type: string, number, boolean, array, object or
    null. `relation` has the columns `by` and a column `properties`; what is not an object has no keys.
#}
{% macro count_json_keys(relation, by) -%}
    {{ return(adapter.dispatch('count_json_keys')(relation, by | join(', '))) }}
{%- endmacro %}

{#
    On DuckDB many rows share a shape, and taking a shape apart once is many times faster than every
    row. json_structure stops at a depth of 128, so what has as many brackets is taken apart itself.
#}
{% macro duckdb__count_json_keys(relation, by) -%}
    select
        {{ by }},
        entry.key,
        case
            when entry.type in ('OBJECT', 'ARRAY') then lower(entry.type)
            when shape is null
                then
                    case entry.type
                        when 'VARCHAR' then 'string' when 'BOOLEAN' then 'boolean' when 'NULL' then 'null' else 'number'
                    end
            else
                case entry.value
                    when '"VARCHAR"' then 'string' when '"BOOLEAN"' then 'boolean' when '"NULL"' then 'null'
                    when '"JSON"' then 'object' else 'number'
                end
        end as json_type,
        sum(occurrences) as occurrences
    from (
        select
            {{ by }},
            case when {{ json_brackets('properties') }} < 100 then json_structure(properties) end as shape,
            case when {{ json_brackets('properties') }} >= 100 then properties end as deep_properties,
            count(*) as occurrences
        from {{ relation }}
        group by {{ by }}, shape, deep_properties
    ) as shapes
    cross join json_each(coalesce(shape, deep_properties)) as entry
    -- Keys of objects have a path such as $.name; elements of arrays and lone values have not.
    where entry.fullkey like '$.%'
    group by {{ by }}, entry.key, json_type
{%- endmacro %}

{% macro snowflake__count_json_keys(relation, by) -%}
    select
        {{ by }},
        entry.key,
        case
            when is_null_value(entry.value) then 'null'
            when is_object(entry.value) then 'object'
            when is_array(entry.value) then 'array'
            when is_boolean(entry.value) then 'boolean'
            when is_varchar(entry.value) then 'string'
            else 'number'
        end as json_type,
        count(*) as occurrences
    from {{ relation }}
    cross join lateral flatten(input => properties) as entry
    where is_object(properties)
    group by {{ by }}, entry.key, json_type
{%- endmacro %}

{# DuckDB: an upper bound for the depth of a JSON text, that costs nothing. #}
{% macro json_brackets(json) -%}
    2 * strlen({{ json }}) - strlen(replace(cast({{ json }} as varchar), '{', '')) - strlen(replace(cast({{ json }} as varchar), '[', ''))
{%- endmacro %}
