{# None of the columns is ever empty: one statement for what would be a not_null test for each. #}
{% test no_nulls(model, columns) %}
select
    {{ columns | join(',\n    ') }}
from {{ model }}
where
    {{ columns | join(' is null\n    or ') }} is null
{% endtest %}
