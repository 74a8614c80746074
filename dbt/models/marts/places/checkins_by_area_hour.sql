-- A person has one token per key epoch, so the threshold must hold within one epoch: five tokens of five epochs may be
-- one person.
with by_epoch as (
    select
        area_id,
        latitude,
        longitude,
        local_hour,
        key_epoch,
        count(*) as checkins,
        count(distinct user_id) as people
    from {{ ref('checkins') }}
    where area_id is not null
    group by area_id, latitude, longitude, local_hour, key_epoch
)

select
    area_id,
    latitude,
    longitude,
    local_hour,
    sum(checkins) as checkins,
    sum(people) as people
from by_epoch
group by area_id, latitude, longitude, local_hour
having max(people) >= {{ var('minimum_people') }}
