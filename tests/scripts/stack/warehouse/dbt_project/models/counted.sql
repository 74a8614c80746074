{{ config(materialized='materialized_view', enable_refresh=true, refresh_interval_minutes=60) }}
select day, sum(events) as events from {{ ref('daily') }} group by day
