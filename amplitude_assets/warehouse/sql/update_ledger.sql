-- Updates the ledger for hours whose events a load left unchanged: when Amplitude last returned
-- this delivery, and how many events a later, unconfirmed delivery lacks.
update bronze.export_hours
set
    fetched_at = incoming_hours.fetched_at,
    events_in_question = incoming_hours.events_in_question,
    in_question_since = incoming_hours.in_question_since
from incoming_hours
where
    bronze.export_hours.project_id = $project_id
    and bronze.export_hours.export_hour = incoming_hours.export_hour
    and bronze.export_hours.fetched_at <= incoming_hours.fetched_at;
