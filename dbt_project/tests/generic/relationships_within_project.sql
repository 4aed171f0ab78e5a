{# Every value of a column is a key of another model in the same project. #}
{% test relationships_within_project(model, column, to, field) %}
select
    child.project_id,
    child.{{ column }}
from {{ model }} as child
left join {{ to }} as parent
    on
        child.project_id = parent.project_id
        and child.{{ column }} = parent.{{ field }}
where child.{{ column }} is not null and parent.{{ field }} is null
{% endtest %}
