{#
    Access to semi-structured columns, for both engines. Keys can contain dots, spaces and `$`, and can differ only
    in letter case.
#}

{# A top-level value of a JSON object as text; NULL if it is missing or null. #}
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
    Whether an object can have one of the keys; false only if it has none of them. Rules out most objects without
    parsing them. Text with `\u` is not ruled out, because keys can be escaped as in `\u0024`. Snowflake stores
    objects parsed and needs no such test.
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

{# The value at a path of keys in a JSON object, as JSON. The keys are columns. #}
{% macro json_lookup(json, keys) -%}
    {{ return(adapter.dispatch('json_lookup')(json, keys)) }}
{%- endmacro %}

{# One pointer for the whole path: a separate call per key would copy the subtree for every row. #}
{% macro duckdb__json_lookup(json, keys) -%}
    json_extract({{ json }}, {% for key in keys %}'/' || replace(replace({{ key }}, '~', '~0'), '/', '~1'){{ ' || ' if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro snowflake__json_lookup(json, keys) -%}
    {%- for _ in keys %}get({% endfor %}{{ json }}{% for key in keys %}, {{ key }}){% endfor %}
{%- endmacro %}

{#
    Whether a value is too large for many key lookups: DuckDB parses the whole text for each lookup, and keeps the
    parsed values until it has processed 2,048 rows. Snowflake stores values parsed.
#}
{% macro json_is_large(json) -%}
    {{ return(adapter.dispatch('json_is_large')(json)) }}
{%- endmacro %}

{% macro duckdb__json_is_large(json) -%}
    coalesce(strlen({{ json }}) > 4000, false)
{%- endmacro %}

{% macro snowflake__json_is_large(json) -%}
    false
{%- endmacro %}

{#
    A select of the members of a JSON object in a column of `relation`, one row each: `columns`, `key` and `value`.
    A value that is not an object has no members.
#}
{% macro json_members(relation, columns, json) -%}
    {{ return(adapter.dispatch('json_members')(relation, columns | join(', '), json)) }}
{%- endmacro %}

{# Not json_each, which repeats the whole object for every member and so needs unbounded memory. #}
{% macro duckdb__json_members(relation, columns, json) -%}
    select {{ columns }}, unnest(json_keys({{ json }})) as key, unnest(json_extract({{ json }}, '$.*')) as value
    from {{ relation }}
{%- endmacro %}

{# The alias is unique to the relation: Dagster's column lineage uses sqlglot, which fails on a repeated alias. #}
{% macro snowflake__json_members(relation, columns, json) -%}
    {%- set member = relation ~ '_member' -%}
    select {{ columns }}, {{ member }}.key, {{ member }}.value
    from {{ relation }}
    cross join lateral flatten(input => {{ json }}) as {{ member }}
    where is_object({{ json }})
{%- endmacro %}

{# A select of the elements of a JSON array, one row each: `columns` and `value`, text without the quotes of a string. #}
{% macro json_element_texts(relation, columns, json) -%}
    {{ return(adapter.dispatch('json_element_texts')(relation, columns | join(', '), json)) }}
{%- endmacro %}

{% macro duckdb__json_element_texts(relation, columns, json) -%}
    select {{ columns }}, unnest(json_extract_string({{ json }}, '$[*]')) as value
    from {{ relation }}
{%- endmacro %}

{% macro snowflake__json_element_texts(relation, columns, json) -%}
    {%- set element = relation ~ '_element' -%}
    select {{ columns }}, {{ element }}.value::varchar as value
    from {{ relation }}
    cross join lateral flatten(input => {{ json }}) as {{ element }}
{%- endmacro %}

{# A JSON array unchanged, any other value as an array of one element. #}
{% macro json_as_array(json) -%}
    {{ return(adapter.dispatch('json_as_array')(json)) }}
{%- endmacro %}

{% macro duckdb__json_as_array(json) -%}
    case when json_type({{ json }}) = 'ARRAY' then {{ json }} else json_array({{ json }}) end
{%- endmacro %}

{% macro snowflake__json_as_array(json) -%}
    to_array({{ json }})
{%- endmacro %}

{# Whether a JSON value is an object. #}
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
    A short hash of the text of a JSON object; NULL for a value that is not an object. Two different texts have the
    same hash with a probability of 1 in 2^64. Models compare hashes and read only the objects that changed.
#}
{% macro json_object_hash(json) -%}
    case when {{ json_is_object(json) }} then left(md5(cast({{ json }} as varchar)), 16) end
{%- endmacro %}

{# JSON as canonical text, which is equal for equal values in any order of their keys. #}
{% macro json_canonical(json) -%}
    {{ return(adapter.dispatch('json_canonical')(json)) }}
{%- endmacro %}

{#
    The keys of a VARIANT are sorted. Very deeply nested text is not converted, because it overflows the stack, and
    neither is text with very many keys, because the conversion time grows with their square.
#}
{% macro duckdb__json_canonical(json) -%}
    case
        when {{ json_brackets(json) }} < 2000 and {{ json_colons(json) }} < 5000 then cast(cast(cast({{ json }} as variant) as json) as varchar)
        else cast({{ json }} as varchar)
    end
{%- endmacro %}

{% macro snowflake__json_canonical(json) -%}
    to_json({{ json }})
{%- endmacro %}

{#
    The maximum number of keys per object in property_catalog, and of groups per event. Amplitude's own limits are
    1,000 user properties and 2,000 event properties per project. event_faults counts what is left out.
#}
{% macro most_keys() -%}
    1000
{%- endmacro %}

{# The number of keys of a JSON object; 0 or NULL for anything else. #}
{% macro json_key_count(json) -%}
    {{ return(adapter.dispatch('json_key_count')(json)) }}
{%- endmacro %}

{# A key takes at least four bytes, so objects below that size are not parsed. #}
{% macro duckdb__json_key_count(json) -%}
    case when strlen({{ json }}) > 4 * {{ most_keys() }} then len(json_keys({{ json }})) else 0 end
{%- endmacro %}

{% macro snowflake__json_key_count(json) -%}
    case when is_object({{ json }}) then array_size(object_keys({{ json }})) end
{%- endmacro %}

{# Whether a JSON value can have more than most_keys() entries; false only if it has not. #}
{% macro json_may_have_many(json) -%}
    {{ return(adapter.dispatch('json_may_have_many')(json)) }}
{%- endmacro %}

{# An entry takes at least two bytes, such as `1,`. #}
{% macro duckdb__json_may_have_many(json) -%}
    strlen({{ json }}) > 2 * {{ most_keys() }}
{%- endmacro %}

{% macro snowflake__json_may_have_many(json) -%}
    {{ json }} is not null
{%- endmacro %}

{#
    The number of occurrences of each top-level key, by JSON type: string, number, boolean, array, object or null. Of
    an object with more than most_keys() keys, only the first by name are counted. `relation` has the columns `by` and
    a column `properties`; a value that is not an object has no keys.
#}
{% macro count_json_keys(relation, by) -%}
    {{ return(adapter.dispatch('count_json_keys')(relation, by | join(', '))) }}
{%- endmacro %}

{#
    Many rows share a shape (the lists of their keys and types). DuckDB unnests each shape once, which is many times
    faster than unnesting every row. A key that occurs twice in an object counts once, with its first value.
#}
{% macro duckdb__count_json_keys(relation, by) -%}
    select
        {{ by }},
        key,
        case type
            when 'VARCHAR' then 'string' when 'BOOLEAN' then 'boolean' when 'NULL' then 'null' when 'OBJECT' then 'object'
            when 'ARRAY' then 'array' else 'number'
        end as json_type,
        sum(occurrences) as occurrences
    from (
        select
            {{ by }},
            shape_number,
            key,
            arg_min(type, place) as type,
            max(occurrences) as occurrences
        from (
            select
                {{ by }},
                row_number() over () as shape_number,
                occurrences,
                unnest(keys) as key,
                unnest(types) as type,
                generate_subscripts(keys, 1) as place
            from (
                select
                    {{ by }},
                    json_keys(properties) as keys,
                    json_type(properties, '$.*') as types,
                    count(*) as occurrences
                from {{ relation }}
                group by {{ by }}, keys, types
            ) as shapes
        ) as members
        group by {{ by }}, shape_number, key
        qualify row_number() over (partition by shape_number order by key) <= {{ most_keys() }}
    ) as counted_members
    group by {{ by }}, key, json_type
{%- endmacro %}

{# Only the keys of objects with too many keys are sorted. #}
{% macro snowflake__count_json_keys(relation, by) -%}
    select
        {{ by }},
        key,
        case
            when is_null_value(value) then 'null'
            when is_object(value) then 'object'
            when is_array(value) then 'array'
            when is_boolean(value) then 'boolean'
            when is_varchar(value) then 'string'
            else 'number'
        end as json_type,
        count(*) as occurrences
    from (
        select {{ by }}, member.key, member.value
        from {{ relation }}
        cross join lateral flatten(input => properties) as member
        where {{ json_key_count('properties') }} <= {{ most_keys() }}
        union all
        select {{ by }}, member.key, member.value
        from {{ relation }}
        cross join lateral flatten(input => properties) as member
        where {{ json_key_count('properties') }} > {{ most_keys() }}
        qualify row_number() over (partition by member.seq order by member.key) <= {{ most_keys() }}
    ) as members
    group by {{ by }}, key, json_type
{%- endmacro %}

{# DuckDB: a cheap upper bound for the nesting depth of a JSON text. #}
{% macro json_brackets(json) -%}
    2 * strlen({{ json }}) - strlen(replace(cast({{ json }} as varchar), '{', '')) - strlen(replace(cast({{ json }} as varchar), '[', ''))
{%- endmacro %}

{# DuckDB: an upper bound for the number of keys in a JSON text, at any depth. #}
{% macro json_colons(json) -%}
    strlen({{ json }}) - strlen(replace(cast({{ json }} as varchar), ':', ''))
{%- endmacro %}
