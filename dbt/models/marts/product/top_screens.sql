select
    event_date as activity_date,
    page_name,
    count(*) as views,
    count(distinct user_id) as users
from {{ ref('events') }}
where event_type = 'page_view' and page_name is not null
group by activity_date, page_name
