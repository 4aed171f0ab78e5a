{#
    At the end of a run, mark the hours of the batch as consumed if every incremental model of the project was built.
    Otherwise they stay in the batch and the next run consumes them again: every hour is consumed at least once, and
    consuming it twice changes nothing. Other models are built completely in each run and need no such check.
#}
{% macro mark_hours_consumed(results) %}
    {# With --empty or --sample, dbt reads no rows or only some. #}
    {% if execute and flags.WHICH in ('build', 'run') and not flags.EMPTY and not flags.SAMPLE %}
        {% set built = results | selectattr('status', 'equalto', 'success') | map(attribute='node.unique_id') | list %}
        {% set missing = [] %}
        {% for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') %}
            {% if node.config.materialized == 'incremental' and node.unique_id not in built %}
                {% do missing.append(node.name) %}
            {% endif %}
        {% endfor %}
        {% if missing %}
            {% do log('Batch left unconsumed; models not built: ' ~ missing | sort | join(', '), info=true) %}
        {% else %}
            {% do tag_statements() %}
            {% set settings = settings_fingerprint() %}
            {% set consumed_hours = silver_relation('consumed_hours') %}
            {% set load_batch = silver_relation('load_batch') %}
            delete from {{ consumed_hours }}
            where settings <> '{{ settings }}' or (project_id, export_hour) in (select project_id, export_hour from {{ load_batch }});
            insert into {{ consumed_hours }} (project_id, export_hour, load_id, settings)
            select project_id, export_hour, load_id, '{{ settings }}' from {{ load_batch }} where load_id is not null;
            {# Delete the touched keys last: after an interruption, a surplus key costs time, a missing key is an error. #}
            {# The other tables serve this run only, and would keep ids of users whom `forget` removes. #}
            {% for name in [
                'touched_users', 'touched_user_dates', 'touched_hours', 'touched_devices', 'dedup_results',
                'dedup_candidate_keys', 'dedup_candidates', 'changed_keys', 'rekeyed_ids', 'touched_events',
            ] %}
            delete from {{ silver_relation(name) }};
            {% endfor %}
        {% endif %}
    {% endif %}
{% endmacro %}
