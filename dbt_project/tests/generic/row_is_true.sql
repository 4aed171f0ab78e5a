{# Fail for rows that do not meet the condition. #}
{% test row_is_true(model, condition) %}
select *
from {{ model }}
where not coalesce({{ condition }}, false)
{% endtest %}
