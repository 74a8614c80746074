{#- The columns together name a row; nulls count as equal. -#}
{% test unique_combination(model, columns) %}
select {{ columns | join(', ') }}, count(*) as rows_of_it
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
