{#
    Put the run, its hours and the node that runs into the session's query tag. What a model looks up while dbt compiles
    it still has the tag of the session's previous model.
#}
{% macro tag_statements() %}
    {{ return(adapter.dispatch('tag_statements')()) }}
{% endmacro %}

{% macro default__tag_statements() %}
{% endmacro %}

{% macro snowflake__tag_statements() %}
    {% set tag = fromjson(env_var('STEP_QUERY_TAG', target.query_tag)) %}
    {% set about = model %}
    {% if model.resource_type == 'test' %}
        {% do tag.update({'test': model.name}) %}
        {% set about = graph.nodes.get(model.attached_node) %}
    {% endif %}
    {% if about %}
        {% set layer = (about.config.schema or about.schema) ~ '/' if about.resource_type != 'operation' else '' %}
        {% do tag.update({'model': layer ~ about.alias}) %}
    {% endif %}
    {% do run_query("alter session set query_tag = '" ~ tojson(tag) ~ "'") %}
{% endmacro %}

{# Override dbt's macro, which needs two more statements for each node, to read the session's tag and to restore it. #}
{% macro snowflake__set_query_tag() %}
    {% do tag_statements() %}
    {{ return('') }}
{% endmacro %}

{# Override dbt's macro: the session's next node sets its own tag. #}
{% macro snowflake__unset_query_tag(original_query_tag) %}
{% endmacro %}
