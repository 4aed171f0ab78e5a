{#
    Override dbt's macro: a model's schema is the one configured for its folder, without the target's prefix. A
    folder under models/ without configuration, which a user has added, is a schema of the same name.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name -%} {{ custom_schema_name | trim }}
    {%- elif node.resource_type == 'model' -%} {{ node.fqn[1] }}
    {%- else -%} {{ target.schema }}
    {%- endif -%}
{%- endmacro %}
