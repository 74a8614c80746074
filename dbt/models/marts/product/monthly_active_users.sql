select
    date_trunc(event_date, month) as activity_month,
    count(distinct user_id) as users,
    count(distinct session_id) as sessions,
    count(*) as events,
    count(distinct key_epoch) as key_epochs
from {{ ref('events') }}
group by activity_month
