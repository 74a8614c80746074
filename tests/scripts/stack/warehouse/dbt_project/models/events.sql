{{ config(materialized='view') }}
select n as id, timestamp_add(timestamp '2026-01-01 00:00:00+00', interval n hour) as at
from unnest(generate_array(1, {{ var('hours', 48) }})) as n
