{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id') }}
select id, at from {{ ref('events') }}
{% if is_incremental() %} where id > (select max(id) - 2 from {{ this }}) {% endif %}
