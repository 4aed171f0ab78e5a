{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {'touched_user_dates': ['user_key', 'event_date']}},
) }}

-- SDKs send a bare `Revenue` event always, and beside it `Revenue (Verified)` or `Revenue (Unverified)`,
-- which has the money: the bare one would count it twice.
with events as (
    select
        uuid,
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
        user_key,
        event_type,
        event_time,
        event_date,
        event_properties
    from events
    where
        event_type not in ('Revenue', '[Amplitude] Revenue')
        and {{ json_may_have('event_properties', ['$revenue', '$price']) }}
        and (
            {{ json_text('event_properties', '$revenue') }} is not null
            or {{ json_text('event_properties', '$price') }} is not null
        )
),

amounts as (
    select
        uuid,
        user_key,
        event_type,
        event_time,
        event_date,
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
        user_key,
        event_type,
        event_time,
        event_date,
        product_id,
        quantity,
        price,
        -- Beyond 10^18 it is no money, and would break the sums of all others.
        case
            when abs(stated_revenue) < 1e18 then stated_revenue
            when abs(cast(price as double) * cast(coalesce(quantity, 1) as double)) < 1e18
                then cast(price * coalesce(quantity, 1) as decimal(38, 9))
        end as revenue,
        revenue_type,
        currency
    from amounts
)

select
    uuid,
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
