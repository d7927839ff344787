-- The time that a transition claims is text of the service's making: a number without end (1e400, NaN) made the view fail, and with it
-- every segment of logs behind; a time long ago was deleted with its partition. Outside the window that log records have, too, the
-- record's own time counts. Both views must be total: no bytes may make them fail.
ALTER TABLE breaker_transitions_logs_mv MODIFY QUERY
WITH replaceAll(lower(attributes['to']), '-', '_') AS to_lower, replaceAll(lower(attributes['from']), '-', '_') AS from_lower,
     attributes['at'] AS at_text, toFloat64OrNull(at_text) AS at_epoch,
     multiIf(at_epoch < 1e11, at_epoch * 1e9, at_epoch < 1e14, at_epoch * 1e6, at_epoch < 1e17, at_epoch * 1e3, at_epoch) AS at_ns,
     ifNull(at_ns >= 0 AND at_ns < 9.2e18, false) AS is_epoch,
     if(is_epoch, fromUnixTimestamp64Nano(toInt64(if(is_epoch, assumeNotNull(at_ns), 0.)), 'UTC'),
        parseDateTime64BestEffortOrNull(at_text, 9, 'UTC')) AS claimed
SELECT if(claimed >= subtractDays(observed_at, retention_days) AND claimed <= addMinutes(observed_at, 10),
          assumeNotNull(claimed), occurred_at) AS at,
       service, env, attributes['breaker'] AS breaker,
       attributes['target'] AS target,
       coalesce(nullIf(attributes['instance'], ''), nullIf(resource['service.instance.id'], ''), resource['host.name']) AS instance,
       from_lower AS from_state, to_lower AS to_state, attributes['reason'] AS reason,
       toFloat64OrNull(attributes['failure_rate']) AS failure_rate, toFloat64OrNull(attributes['slow_call_rate']) AS slow_call_rate,
       toUInt64OrNull(attributes['calls']) AS calls, toUInt64OrNull(attributes['not_permitted']) AS not_permitted,
       false AS derived, trace_id, span_id, observed_at, batch_id, 'log' AS source, retention_days
FROM logs
WHERE (body = 'circuit_breaker.transition' OR attributes['event'] = 'circuit_breaker.transition'
       OR attributes['event.name'] = 'circuit_breaker.transition')
  AND breaker != '' AND to_lower IN ('closed', 'open', 'half_open', 'forced_open', 'disabled', 'metrics_only');

ALTER TABLE breaker_transitions_spans_mv MODIFY QUERY
WITH event.attributes AS fields,
     replaceAll(lower(fields['to']), '-', '_') AS to_lower
SELECT if(event.at >= subtractDays(observed_at, retention_days) AND event.at <= addMinutes(observed_at, 10), event.at, start) AS at,
       service, env, fields['breaker'] AS breaker, fields['target'] AS target,
       coalesce(nullIf(fields['instance'], ''), nullIf(resource['service.instance.id'], ''), resource['host.name']) AS instance,
       replaceAll(lower(fields['from']), '-', '_') AS from_state, to_lower AS to_state, fields['reason'] AS reason,
       toFloat64OrNull(fields['failure_rate']) AS failure_rate, toFloat64OrNull(fields['slow_call_rate']) AS slow_call_rate,
       toUInt64OrNull(fields['calls']) AS calls, toUInt64OrNull(fields['not_permitted']) AS not_permitted,
       false AS derived, trace_id, span_id, observed_at, batch_id, 'span' AS source, retention_days
FROM spans
ARRAY JOIN events AS event
WHERE event.name = 'circuit_breaker.transition'
  AND breaker != '' AND to_lower IN ('closed', 'open', 'half_open', 'forced_open', 'disabled', 'metrics_only');
