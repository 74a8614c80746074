{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by={'field': 'day', 'data_type': 'date'}) }}
select date(at) as day, count(*) as events from {{ ref('events') }}
{% if is_incremental() %} where date(at) >= date_sub(_dbt_max_partition, interval 1 day) {% endif %}
group by 1
