{#
    The batch: the hours that a run consumes. It is either everything (the run then rebuilds every
    table whole) or a few hours (the run then replaces what they touch).
#}

{# What the results depend on besides bronze. Another value than the consumed hours carry means: rebuild. #}
{% macro settings_fingerprint() %}
    {% set parts = [
        'models 3', project_timezone(), week_start(), var('infer_merges_from_devices') | string,
    ] %}
    {% if execute %}
        {% for seed in graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed') | sort(attribute='unique_id') %}
            {% do parts.append(seed.unique_id ~ ' ' ~ seed.checksum.checksum) %}
        {% endfor %}
    {% endif %}
    {{ return(local_md5(parts | join('|'))) }}
{% endmacro %}

{# Say whether this run rebuilds everything: no hour was consumed under the settings of today. #}
{% macro batch_is_rebuild() %}
    {% if not execute %}
        {{ return(false) }}
    {% endif %}
    {% set consumed_hours = silver_relation('consumed_hours') %}
    {% if consumed_hours is none %}
        {{ return(true) }}
    {% endif %}
    {% set rows = run_query("select count(*) from " ~ consumed_hours ~ " where settings = '" ~ settings_fingerprint() ~ "'") %}
    {{ return(rows.columns[0].values()[0] == 0) }}
{% endmacro %}

{#
    A silver table as the last run left it, or none. For the tables that a model has to compare with
    although they are built after it: ref() would be a circle.
#}
{% macro silver_relation(name) %}
    {{ return(adapter.get_relation(target.database, generate_schema_name('silver', none), name)) }}
{% endmacro %}

{# dbt's own macro, and in addition: a rebuild is a full refresh of every incremental model. #}
{% macro should_full_refresh() %}
    {% set configured = config.get('full_refresh') %}
    {% if configured is not none %}
        {{ return(configured) }}
    {% endif %}
    {{ return(flags.FULL_REFRESH or (model.resource_type == 'model' and batch_is_rebuild())) }}
{% endmacro %}

{#
    Refuse to rebuild alone what is made by the batch: only a few hours are in it, and the history would
    be lost. For judged_uuids, judged_rows, events and event_duplicates.
#}
{% macro require_whole_batch() %}
    {% if execute and flags.WHICH in ('build', 'run') %}
        {% if batch_is_rebuild() %}
            {# A run that rebuilds everything begins by emptying consumed_hours. #}
            {% set consumed_hours = silver_relation('consumed_hours') %}
            {% set is_partial = consumed_hours is none or run_query('select 1 from ' ~ consumed_hours ~ ' limit 1').rows | length > 0 %}
        {% else %}
            {% set is_alone = config.get('materialized') == 'incremental' and not is_incremental() %}
            {% set is_partial = is_alone or silver_relation('events') is none or silver_relation('event_duplicates') is none %}
        {% endif %}
        {% if is_partial %}
            {{ exceptions.raise_compiler_error(
                'events and event_duplicates can only be rebuilt together with everything else: dbt build --full-refresh'
            ) }}
        {% endif %}
    {% endif %}
{% endmacro %}

{#
    The condition that a row belongs to the hours of the batch. The hours stand in the SQL, so that the
    engine skips the rest of the table and parses no other hour.
#}
{% macro in_batch() -%}
    {{ in_hours([ref('load_batch')]) }}
{%- endmacro %}

{# The same for the hours of several relations. #}
{% macro in_hours(relations) -%}
    {%- if not execute or batch_is_rebuild() -%}
        true
    {%- else -%}
        {%- set listed = [] -%}
        {%- for relation in relations -%}
            {%- do listed.append('select project_id, export_hour from ' ~ relation) -%}
        {%- endfor -%}
        {%- set listed = listed | join(' union ') -%}
        {%- set hours = run_query('select distinct export_hour from (' ~ listed ~ ') as listed order by export_hour').columns[0].values() -%}
        {%- if hours | length == 0 -%}
            false
        {%- elif hours | length <= 1000 -%}
            export_hour in (
                {%- for hour in hours %}timestamp '{{ hour }}'{{ ', ' if not loop.last }}{% endfor -%}
            )
            and (project_id, export_hour) in ({{ listed }})
        {%- else -%}
            export_hour between timestamp '{{ hours[0] }}' and timestamp '{{ hours[-1] }}'
            and (project_id, export_hour) in ({{ listed }})
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#
    What a table that is kept by user or device is made of: every event when it is made whole, else the
    events of the keys that were touched.
#}
{% macro events_of_touched_keys() -%}
    {%- if not execute -%}
        {# What a model depends on is noted while dbt parses it. #}
        {%- do [ref('events'), ref('touched_events')] -%}
    {%- endif -%}
    {{ ref('touched_events') if is_incremental() else ref('events') }}
{%- endmacro %}

{#
    A where clause for the rows whose keys were touched; nothing when the model is built whole. `few_of` is
    the table that is read, if it is large and has few of them.
#}
{% macro where_touched(relation, columns, few_of=none) -%}
    {%- if is_incremental() -%}
        {%- set is_touched = keys_are_in(columns, relation) -%}
        where {{ found_first(few_of, is_touched) if few_of else is_touched }}
    {%- endif -%}
{%- endmacro %}

{#
    The condition that a row of a large table meets another condition, which few do. DuckDB reads all columns
    of a query beside those of its condition, so it first looks for the rows alone. Snowflake needs no help,
    and the rows of a unit test are in no table.
#}
{% macro found_first(relation, condition) -%}
    {%- if target.type == 'duckdb' and not relation.is_cte -%}
        rowid in (select rowid from {{ relation }} where {{ condition }})
    {%- else -%}
        ({{ condition }})
    {%- endif -%}
{%- endmacro %}

{#
    The condition that a row has keys which a relation lists. Where the relation has other names for them,
    `keys` maps the row's names to the relation's.
#}
{% macro keys_are_in(keys, relation) -%}
    ({{ keys | join(', ') }}) in (select {{ (keys.values() if keys is mapping else keys) | join(', ') }} from {{ relation }})
{%- endmacro %}

{#
    The incremental strategy `replace_touched`: delete the rows of every touched key, insert the new
    ones, in one transaction. Unlike delete+insert it also removes keys that have no rows any more.
    `meta.touched` maps each relation that lists keys to what `keys_are_in` takes.
#}
{% macro get_incremental_replace_touched_sql(arguments) %}
    {{ return(adapter.dispatch('get_incremental_replace_touched_sql')(arguments)) }}
{% endmacro %}

{% macro default__get_incremental_replace_touched_sql(arguments) %}
    {% set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) %}
    {% for relation, keys in config.get('meta')['touched'].items() %}
    delete from {{ arguments.target_relation }}
    where {{ keys_are_in(keys, ref(relation)) }};
    {% endfor %}
    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{% endmacro %}

{% macro snowflake__get_incremental_replace_touched_sql(arguments) %}
    {{ return(snowflake_dml_explicit_transaction(default__get_incremental_replace_touched_sql(arguments))) }}
{% endmacro %}

{# Keep DuckDB from computing a large CTE whole before its filters are applied. Snowflake decides itself. #}
{% macro inlined() -%}
    {{ 'not materialized' if target.type == 'duckdb' }}
{%- endmacro %}
