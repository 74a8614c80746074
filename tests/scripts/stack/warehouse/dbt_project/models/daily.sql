{{ config(materialized='table', partition_by={'field': 'day', 'data_type': 'date'}, cluster_by=['events']) }}
select date(at) as day, count(*) as events from {{ ref('events') }} group by 1
