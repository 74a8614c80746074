with localized as (
    select
        *,
        datetime(timestamp_add(event_time, interval timezone_offset minute)) as local_time
    from {{ source('anonymized__places', 'checkin') }}
)

select
    event_token,
    event_time,
    local_time,
    date(local_time) as local_date,
    extract(hour from local_time) as local_hour,
    receive_time,
    user_id,
    venue.category_id,
    venue.category,
    {{ area_degrees('venue.latitude') }} as latitude,
    {{ area_degrees('venue.longitude') }} as longitude,
    {{ area_id('venue.latitude', 'venue.longitude') }} as area_id,
    timezone_offset,
    key_epoch
from localized
