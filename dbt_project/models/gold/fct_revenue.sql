{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {'touched_user_dates': ['user_key', 'event_date']}},
) }}

-- An SDK logs a purchase as a bare event, and Amplitude adds a computed one with `$revenue`. The bare event counts
-- only if it has its own `$revenue` and there is no computed event of the same user at the same time.
{%- set bare_types = ['Revenue', '[Amplitude] Revenue', 'revenue_amount'] %}
{%- set computed_types = [
    'Revenue (Verified)', '[Amplitude] Revenue (Verified)', 'verified_revenue',
    'Revenue (Unverified)', '[Amplitude] Revenue (Unverified)', 'unverified_revenue',
] %}
with events as (
    select
        uuid,
        project_id,
        user_key,
        event_type,
        event_time,
        event_date,
        event_properties
    from {{ ref('events') }}
    {{ where_touched(ref('touched_user_dates'), ['user_key', 'event_date'], few_of=ref('events')) }}
),

revenue_events as (
    select
        uuid,
        project_id,
        user_key,
        event_type,
        event_time,
        event_date,
        event_properties,
        event_type in ('{{ bare_types | join("', '") }}') as is_bare,
        event_type in ('{{ computed_types | join("', '") }}') as is_computed
    from events
    where
        {{ json_may_have('event_properties', ['$revenue', '$price']) }}
        and (
            {{ json_text('event_properties', '$revenue') }} is not null
            or {{ json_text('event_properties', '$price') }} is not null
        )
),

amounts as (
    select
        uuid,
        project_id,
        user_key,
        event_type,
        event_time,
        event_date,
        is_bare,
        is_computed,
        {{ json_text('event_properties', '$productId') }} as product_id,
        {{ to_decimal(json_text('event_properties', '$revenue')) }} as stated_revenue,
        {{ to_decimal(json_text('event_properties', '$price')) }} as price,
        {{ to_decimal(json_text('event_properties', '$quantity')) }} as quantity,
        {{ json_text('event_properties', '$revenueType') }} as revenue_type,
        {{ json_text('event_properties', '$currency') }} as currency
    from revenue_events
),

priced as (
    select
        uuid,
        project_id,
        user_key,
        event_type,
        event_time,
        event_date,
        is_bare,
        is_computed,
        product_id,
        quantity,
        price,
        -- Amounts of 10^18 and more are errors and would overflow the sums.
        case
            when abs(stated_revenue) < 1e18 then stated_revenue
            when not is_bare and abs(cast(price as double) * cast(coalesce(quantity, 1) as double)) < 1e18
                then cast(price * coalesce(quantity, 1) as decimal(38, 9))
        end as revenue,
        revenue_type,
        currency
    from amounts
)

select
    uuid,
    project_id,
    user_key,
    event_type,
    event_time,
    event_date,
    product_id,
    quantity,
    price,
    revenue,
    revenue_type,
    currency
from priced
where revenue is not null
qualify
    not is_bare
    or sum(case when is_computed then 1 else 0 end) over (partition by user_key, event_time) = 0
