-- Credits by day, warehouse and asset. The credits of a warehouse's hour are those that Snowflake meters; they are
-- divided among the statements that started in it, by the time they ran. An hour without statements is `idle`.
with statements as (
    select
        warehouse_name,
        date_trunc('hour', start_time) as hour,
        coalesce(
            try_parse_json(query_tag):"model"::varchar,
            try_parse_json(query_tag):"asset"::varchar,
            try_parse_json(query_tag):"command"::varchar,
            'without a tag'
        ) as asset,
        execution_time
    from snowflake.account_usage.query_history
    where
        start_time >= $first
        and warehouse_name in ($pipeline, $reader, $rebuild)
        -- Other statements, such as SHOW and ALTER SESSION, need no running warehouse.
        and warehouse_size is not null
),

assets as (
    select
        warehouse_name,
        hour,
        asset,
        count(*) as statements,
        sum(execution_time) as milliseconds,
        sum(execution_time) / nullif(sum(sum(execution_time)) over (partition by warehouse_name, hour), 0) as share
    from statements
    group by warehouse_name, hour, asset
),

metered as (
    select
        warehouse_name,
        date_trunc('hour', start_time) as hour,
        sum(credits_used) as credits
    from snowflake.account_usage.warehouse_metering_history
    where
        start_time >= $first
        and warehouse_name in ($pipeline, $reader, $rebuild)
    group by warehouse_name, date_trunc('hour', start_time)
)

select
    to_date(metered.hour) as day,
    metered.warehouse_name,
    coalesce(assets.asset, 'idle') as asset,
    cast(sum(coalesce(assets.statements, 0)) as bigint) as statements,
    cast(sum(coalesce(assets.milliseconds, 0)) / 1000 as double) as seconds,
    cast(sum(metered.credits * coalesce(assets.share, 1)) as double) as credits
from metered
left join assets
    on
        metered.warehouse_name = assets.warehouse_name
        and metered.hour = assets.hour
group by to_date(metered.hour), metered.warehouse_name, coalesce(assets.asset, 'idle')
order by day, metered.warehouse_name, credits desc, asset;
