{#
    The batch: the hours that a run consumes. Either all hours (a rebuild, which replaces every table) or a few
    hours (an incremental run, which replaces the rows that they touch).
#}

{#
    Hash of everything besides bronze that the results depend on. If it differs from the hash stored with the
    consumed hours, the run is a rebuild. Increase the number after a change that makes existing rows wrong.
#}
{% macro settings_fingerprint() %}
    {% set parts = [
        'models 6', project_timezone(), week_start(), var('infer_merges_from_devices') | string,
        var('absent_identifiers') | join(' '), var('earliest_event_date'), var('latest_event_days') | string,
    ] %}
    {% if execute %}
        {% for seed in graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed') | sort(attribute='unique_id') %}
            {% do parts.append(seed.unique_id ~ ' ' ~ seed.checksum.checksum) %}
        {% endfor %}
    {% endif %}
    {{ return(local_md5(parts | join('|'))) }}
{% endmacro %}

{#
    Return whether this run is a rebuild: no hour has been consumed under the current settings. The warehouse is
    asked once per dbt command; `graph` is the object that all of its nodes share.
#}
{% macro batch_is_rebuild() %}
    {% if not execute %}
        {{ return(false) }}
    {% endif %}
    {% set decisions = graph.setdefault('batch_is_rebuild', {}) %}
    {% if invocation_id not in decisions %}
        {% do decisions.update({invocation_id: not is_any_hour_consumed()}) %}
    {% endif %}
    {{ return(decisions[invocation_id]) }}
{% endmacro %}

{# Return whether an hour has been consumed under the current settings. #}
{% macro is_any_hour_consumed() %}
    {% set consumed_hours = silver_relation('consumed_hours') %}
    {% if consumed_hours is none %}
        {{ return(false) }}
    {% endif %}
    {% set rows = run_query("select 1 from " ~ consumed_hours ~ " where settings = '" ~ settings_fingerprint() ~ "' limit 1") %}
    {{ return(rows | length > 0) }}
{% endmacro %}

{#
    Return a silver table as the last run left it, or none. For a model that reads a table which is built after
    it, where ref() would create a cycle.
#}
{% macro silver_relation(name) %}
    {{ return(adapter.get_relation(target.database, generate_schema_name('silver', none), name)) }}
{% endmacro %}

{# Return whether a relation from silver_relation() exists and has a row. #}
{% macro is_any_row_in(relation) %}
    {{ return(execute and relation is not none and run_query('select 1 from ' ~ relation ~ ' limit 1').rows | length > 0) }}
{% endmacro %}

{# Override dbt's macro: a rebuild is a full refresh of every incremental model. #}
{% macro should_full_refresh() %}
    {% set configured = config.get('full_refresh') %}
    {% if configured is not none %}
        {{ return(configured) }}
    {% endif %}
    {{ return(flags.FULL_REFRESH or (model.resource_type == 'model' and batch_is_rebuild())) }}
{% endmacro %}

{#
    Fail if only some of dedup_candidate_keys, dedup_candidates, events and event_duplicates would be rebuilt: the
    batch has only a few hours, and the history would be lost.
#}
{% macro require_whole_batch() %}
    {% if execute and flags.WHICH in ('build', 'run') %}
        {% if batch_is_rebuild() %}
            {# A rebuild starts by emptying consumed_hours. #}
            {% set consumed_hours = silver_relation('consumed_hours') %}
            {% set is_partial = consumed_hours is none or is_any_row_in(consumed_hours) %}
        {% else %}
            {% set is_alone = config.get('materialized') == 'incremental' and not is_incremental() %}
            {% set is_partial = is_alone or silver_relation('events') is none or silver_relation('event_duplicates') is none %}
        {% endif %}
        {% if is_partial %}
            {{ exceptions.raise_compiler_error(
                'events and event_duplicates cannot be rebuilt alone; run: dbt build --full-refresh'
            ) }}
        {% endif %}
    {% endif %}
{% endmacro %}

{#
    The condition that a row belongs to an hour of the batch. The hours are literals in the SQL, so that the engine
    prunes the table and does not parse other hours.
#}
{% macro in_batch() -%}
    {{ in_hours([ref('load_batch')]) }}
{%- endmacro %}

{# The condition that a row belongs to an hour of one of the relations, with literal hours. #}
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
    The source of a table per user or device: all events if the table is built completely, else the events of the
    touched keys.
#}
{% macro events_of_touched_keys() -%}
    {%- if not execute -%}
        {# dbt records a model's dependencies while it parses the model. #}
        {%- do [ref('events'), ref('touched_events')] -%}
    {%- endif -%}
    {{ ref('touched_events') if is_incremental() else ref('events') }}
{%- endmacro %}

{#
    A where clause for the rows whose keys were touched; empty if the model is built completely. `few_of` is the
    table that is read, if it is large and few of its rows match.
#}
{% macro where_touched(relation, columns, few_of=none) -%}
    {%- if is_incremental() -%}
        {%- set is_touched = keys_are_in(columns, relation) -%}
        where {{ found_first(few_of, is_touched) if few_of else is_touched }}
    {%- endif -%}
{%- endmacro %}

{#
    The condition that a row of a large table meets a selective condition. DuckDB reads all columns of the query
    together with those of the condition, so the rows are first searched by rowid. Snowflake does not need this,
    and the rows of a unit test have no rowid.
#}
{% macro found_first(relation, condition) -%}
    {%- if target.type == 'duckdb' and not relation.is_cte -%}
        rowid in (select rowid from {{ relation }} where {{ condition }})
    {%- else -%}
        ({{ condition }})
    {%- endif -%}
{%- endmacro %}

{#
    The condition that a relation lists a row's keys. If the relation names them differently, `keys` maps the row's
    column names to the relation's.
#}
{% macro keys_are_in(keys, relation) -%}
    ({{ keys | join(', ') }}) in (select {{ (keys.values() if keys is mapping else keys) | join(', ') }} from {{ relation }})
{%- endmacro %}

{#
    The incremental strategy `replace_touched`: delete the rows of every touched key and insert the new rows, in one
    transaction. Unlike delete+insert, it also deletes the rows of keys that have no new rows. `meta.touched` maps
    each relation that lists keys to the `keys` argument of `keys_are_in`.
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

{#
    Override dbt-snowflake's macro, which sends BEGIN, each statement and COMMIT on their own. If one fails, dbt sends no
    rollback, and the next model's DDL on the same session commits the statements before it (dbt-core issue 12330). This
    block is one statement for dbt, and Snowflake itself rolls it back on an error.
#}
{% macro snowflake_dml_explicit_transaction(dml) %}
    {%- set block -%}
execute immediate $$
begin
    begin transaction;
    {{ dml | trim }};
    commit;
exception
    when other then
        rollback;
        raise;
end;
$$
    {%- endset -%}
    {{ return(block) }}
{% endmacro %}

{# Prevent DuckDB from materializing a large CTE before applying its filters. Snowflake decides itself. #}
{% macro inlined() -%}
    {{ 'not materialized' if target.type == 'duckdb' }}
{%- endmacro %}
