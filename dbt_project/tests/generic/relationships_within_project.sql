{# Every value of a column is a key of another model in the same project. #}
{% test relationships_within_project(model, column, to, field) %}
with children as (
    select
        project_id,
        {{ column }}
    from {{ model }}
    where {{ column }} is not null
)

select
    children.project_id,
    children.{{ column }}
from children
left join {{ to }} as parents
    on
        children.project_id = parents.project_id
        and children.{{ column }} = parents.{{ field }}
where parents.{{ field }} is null
{% endtest %}
