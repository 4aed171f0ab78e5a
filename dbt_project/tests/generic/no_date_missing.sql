{# Every date from the first to the last has a row. #}
{% test no_date_missing(model, date_column) %}
select count(distinct {{ date_column }}) as dates
from {{ model }}
having count(distinct {{ date_column }}) <> max({{ date_column }}) - min({{ date_column }}) + 1
{% endtest %}
