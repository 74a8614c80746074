select
    event_date as activity_date,
    device_type,
    count(distinct user_id) as users,
    count(distinct session_id) as sessions,
    count(*) as events
from {{ ref('events') }}
group by activity_date, device_type
