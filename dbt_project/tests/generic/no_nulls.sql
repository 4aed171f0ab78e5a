{# Fail for rows with NULL in any of the columns: one statement instead of a not_null test per column. #}
{% test no_nulls(model, columns) %}
select
    {{ columns | join(',\n    ') }}
from {{ model }}
where
    {{ columns | join(' is null\n    or ') }} is null
{% endtest %}
