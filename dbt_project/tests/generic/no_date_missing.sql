{# Fail for projects with a gap between their first and last date. #}
{% test no_date_missing(model, date_column) %}
select
    project_id,
    count(distinct {{ date_column }}) as dates
from {{ model }}
group by project_id
having count(distinct {{ date_column }}) <> max({{ date_column }}) - min({{ date_column }}) + 1
{% endtest %}
