-- Every cell of the seed is filled, each funnel's steps are numbered from 1 without gaps, and share one window.
select
    funnel,
    count(*) as steps,
    min(step) as first_step,
    max(step) as last_step,
    min(window_hours) as shortest_window,
    max(window_hours) as longest_window
from {{ ref('funnels') }}
group by funnel
having
    funnel is null
    or count(event_type) <> count(*)
    or count(distinct step) <> count(*)
    or min(step) <> 1
    or max(step) <> count(*)
    or count(window_hours) <> count(*)
    or min(window_hours) <> max(window_hours)
    or min(window_hours) <= 0
