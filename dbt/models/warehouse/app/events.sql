select
    event_token,
    event_time,
    date(event_time, '{{ var("time_zone") }}') as event_date,
    receive_time,
    event_type,
    user_id,
    session_id,
    device.type as device_type,
    device.os_version,
    device.app_version,
    properties.page_name,
    properties.button_id,
    location.latitude,
    location.longitude,
    {{ area_id('location.latitude', 'location.longitude') }} as area_id,
    key_epoch
from {{ source('anonymized__app', 'app_event') }}
