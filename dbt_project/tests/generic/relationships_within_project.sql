{#
    Fail for values of a column that are not a key of another model, in the same project and in a row with equal
    values in the `same` columns. The `same` columns let an engine skip most of the other model.
#}
{% test relationships_within_project(model, column, to, field, same=[]) %}
{%- set keys = ['project_id'] + same -%}
{%- set pairs = ['children.' ~ column ~ ' = parents.' ~ field] -%}
{%- for key in keys -%}
    {%- do pairs.append('children.' ~ key ~ ' = parents.' ~ key) -%}
{%- endfor -%}
with children as (
    select
        {{ keys | join(', ') }},
        {{ column }}
    from {{ model }}
    where {{ column }} is not null
),

parents as (
    select
        {{ keys | join(', ') }},
        {{ field }}
    from {{ to }}
    where {{ keys_are_in(keys, 'children') }}
)

select
    children.project_id,
    children.{{ column }}
from children
left join parents on {{ pairs | join(' and ') }}
where parents.{{ field }} is null
{% endtest %}
