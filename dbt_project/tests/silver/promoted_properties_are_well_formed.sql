-- Every cell of the seed is filled, scope and type are known, and each row has a column of its own.
select
    scope,
    key,
    column_name,
    data_type
from {{ ref('promoted_properties') }}
qualify
    count(*) over (partition by column_name) > 1
    or scope is null
    or scope not in ('event', 'user')
    or key is null
    or column_name is null
    or data_type is null
    or data_type not in ('text', 'integer', 'number', 'double', 'boolean', 'timestamp')
