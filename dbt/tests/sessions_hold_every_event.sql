-- Each event that names a session is in exactly one of them.
with counted as (
    select
        (select count(*) from {{ ref('events') }} where session_id is not null) as events,
        (select coalesce(sum(events), 0) from {{ ref('sessions') }}) as in_sessions
)

select * from counted where events != in_sessions
