-- Event times are coarse, so events of one minute are put in the order of their tokens: arbitrary, and always the same.
with placed as (
    select
        *,
        format_timestamp('%FT%H:%M:%E6S', event_time) || event_token as place
    from {{ ref('events') }}
    where session_id is not null
)

select
    session_id,
    min_by(user_id, place) as user_id,
    min(event_time) as start_time,
    max(event_time) as end_time,
    timestamp_diff(max(event_time), min(event_time), minute) as duration_minutes,
    date(min(event_time), '{{ var("time_zone") }}') as start_date,
    count(*) as events,
    count(distinct page_name) as screens,
    min_by(page_name, if(page_name is null, null, place)) as first_screen,
    max_by(page_name, if(page_name is null, null, place)) as last_screen,
    min_by(device_type, place) as device_type
from placed
group by session_id
