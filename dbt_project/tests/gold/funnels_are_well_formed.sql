-- The steps of every funnel are numbered from 1 without gaps, and all say the same window.
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
    min(step) <> 1
    or max(step) <> count(*)
    or min(window_hours) <> max(window_hours)
    or min(window_hours) <= 0
