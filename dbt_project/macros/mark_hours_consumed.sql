{#
    At the end of a run: note the hours of the batch as consumed, if every incremental model of the
    project took them in. If not, they stay in the batch and the next run takes them again: every hour
    is consumed at least once, and consuming it twice changes nothing. Other models are made whole each
    time, so they are owed nothing.
#}
{% macro mark_hours_consumed(results) %}
    {# Nothing was consumed if dbt was told to read no rows, or some. #}
    {% if execute and flags.WHICH in ('build', 'run') and not flags.EMPTY and not flags.SAMPLE %}
        {% set built = results | selectattr('status', 'equalto', 'success') | map(attribute='node.unique_id') | list %}
        {% set missing = [] %}
        {% for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') %}
            {% if node.config.materialized == 'incremental' and node.unique_id not in built %}
                {% do missing.append(node.name) %}
            {% endif %}
        {% endfor %}
        {% if missing %}
            {% do log('The hours of this batch stay to be consumed: not built in this run are ' ~ missing | sort | join(', '), info=true) %}
        {% else %}
            {% set settings = settings_fingerprint() %}
            {% set consumed_hours = silver_relation('consumed_hours') %}
            {% set load_batch = silver_relation('load_batch') %}
            delete from {{ consumed_hours }}
            where settings <> '{{ settings }}' or (project_id, export_hour) in (select project_id, export_hour from {{ load_batch }});
            insert into {{ consumed_hours }} (project_id, export_hour, load_id, settings)
            select project_id, export_hour, load_id, '{{ settings }}' from {{ load_batch }} where load_id is not null;
            {# What the batch had touched. Emptied last: a key too many costs time, one too few is an error. #}
            {# The others are of use to this run only, and would keep ids of people who are forgotten. #}
            {% for name in [
                'touched_users', 'touched_user_dates', 'touched_hours', 'touched_devices', 'event_verdicts',
                'judged_uuids', 'judged_rows', 'event_changes', 'rekeyed_ids', 'touched_events',
            ] %}
            delete from {{ silver_relation(name) }};
            {% endfor %}
        {% endif %}
    {% endif %}
{% endmacro %}
