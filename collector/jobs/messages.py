"""
Both ends of a message: the span of a consumer, and the producer's span that it links to or is a child of.

The names of the two ends differ where an exchange or a subscription stands between them; only the pair knows that they are one way. A message that
waited longer than `_WAIT_S` is not paired: its queue's length is the broker's to tell.
"""

from __future__ import annotations

from collector.jobs.runner import Job, Statement

_WAIT_S = 600
_DELAY_S = 60
_LATE_S = 3600

_SYSTEM = "lower(coalesce(nullIf(attributes['messaging.system'], ''), 'messaging'))"
# As queue_minutes_mv names it (store/schema/015_queues_and_entries.sql).
_QUEUE = """coalesce(nullIf(attributes['messaging.destination.template'], ''), if(attributes['messaging.destination.anonymous'] = 'true', '(anonymous)', NULL),
                    if(attributes['messaging.destination.temporary'] = 'true', '(temporary)', NULL),
                    nullIf(attributes['messaging.destination.name'], ''), attributes['messaging.destination'])"""
_STARTED = f"""start >= {{start:DateTime64(9, 'UTC')}} - toIntervalSecond({_LATE_S}) AND start < {{end:DateTime64(9, 'UTC')}} + toIntervalSecond(600)"""

_PAIRS = f"""
INSERT INTO message_minutes (minute, env, system, producer, sent_to, received_from, consumer, retention_days, calls, waited_ns, last_at)
SELECT toStartOfMinute(toDateTime(taken.started)) AS minute, taken.env AS env, taken.system AS system, sent.service AS producer, sent.queue AS sent_to,
       taken.queue AS received_from, taken.service AS consumer, taken.retention_days AS retention_days, count() AS calls,
       quantilesTDigestState(0.5, 0.95, 0.99)(greatest(0., toFloat64(taken.started_ns) - toFloat64(sent.ended_ns))) AS waited_ns,
       max(taken.started) AS last_at
FROM (
    SELECT start AS started, toUnixTimestamp64Nano(start) AS started_ns, CAST(service, 'String') AS service, CAST(env, 'String') AS env,
           {_SYSTEM} AS system, {_QUEUE} AS queue, retention_days,
           arrayJoin(arrayDistinct(arrayConcat([(trace_id, parent_span_id)], arraySlice(arrayMap(link -> (link.trace_id, link.span_id), links), 1, 100)))) AS origin
    FROM spans
    WHERE kind = 'consumer' AND observed_at >= {{start:DateTime64(9, 'UTC')}} AND observed_at < {{end:DateTime64(9, 'UTC')}}
      AND {_STARTED}
) AS taken
LEFT ANY JOIN (
    SELECT trace_id, span_id, CAST(service, 'String') AS service, {_QUEUE} AS queue, toUnixTimestamp64Nano(start) + duration_ns AS ended_ns
    FROM spans
    WHERE kind = 'producer' AND observed_at >= {{start:DateTime64(9, 'UTC')}} - toIntervalSecond({_WAIT_S})
      AND observed_at < {{end:DateTime64(9, 'UTC')}} + toIntervalSecond({_DELAY_S})
      AND {_STARTED}
) AS sent ON sent.trace_id = taken.origin.1 AND sent.span_id = taken.origin.2
WHERE taken.queue != '' AND sent.service != ''
GROUP BY minute, env, system, producer, sent_to, received_from, consumer, retention_days
"""
_ANY = f"""
SELECT 1 AS found
FROM spans
WHERE kind = 'consumer' AND observed_at >= {{start:DateTime64(9, 'UTC')}} AND observed_at < {{end:DateTime64(9, 'UTC')}}
  AND {_STARTED}
LIMIT 1
"""

MESSAGES = Job(
    "messages",
    reads="spans",
    version=1,
    window_s=60,
    delay_s=_DELAY_S,
    statements=(Statement("message_minutes", _PAIRS),),
    wanted=(_ANY,),
)
