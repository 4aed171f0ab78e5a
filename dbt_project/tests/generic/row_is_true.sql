{# A condition that holds for every row. #}
{% test row_is_true(model, condition) %}
select *
from {{ model }}
where not coalesce({{ condition }}, false)
{% endtest %}
