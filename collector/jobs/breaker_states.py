"""
Breakers that only metrics tell of: transitions from what changed between two samples.

The samples of one breaker in one instance at one time are one look at it. Between two looks

- another state is a transition, at the time of the later look: it happened in the ``interval_ms`` before;
- the same closed state while calls were not permitted, or openings counted, means it was open in between: two transitions, a third of the
  interval from each look;
- counters of changes that grew are these changes, in the order open, half open, closed (or open again, where it opened oftener than it closed).

The first look at a breaker is a transition from "". Counters that fell began anew. All of it is marked ``derived``; where the breaker itself tells of a
change (collector/read/transitions.py) that is what counts.

Samples are looked at as soon as they are loaded, and again by the windows after, for those that come late or in parts:

- What was told is not told again. A change that a late look moves to another time was told where the two intervals overlap; what lies in the interval of an
  opening that only counters betrayed was told with it.
- A look that lacks series which an earlier one had may be half of one (the shards of a remote_write): the rest has `_PARTS_S` to come. One that tells no state
  of a breaker whose others do is none.
- A window that is run again (its collector was killed) gives the rows it left, whatever came since: the views behind the table have the same token. Rows of
  one month and retention are a part, there or not; of one that is not there it gives what there is to tell.
"""

from __future__ import annotations

from collector.jobs.runner import Job, Statement
from collector.read.breaker_metrics import WAYS
from collector.read.labelled import INSTANCE, called

# Scrapes come every 15 to 60 seconds, and some fail: a look within this time before is the one before.
LOOK_BACK_S = 300
# Agents send a scrape at once, Prometheus within seconds; what spools hold after an outage comes too late for this. Half of it is for records that are in the
# journal and gather until they are loaded (a minute at most, collector/wiring.py).
_LATE_S = 120
# A service's clock may be ahead of ours.
_AHEAD_S = 10
_PARTS_S = 45
_FROM = "job:breaker_states"
# Roles that decide nothing.
_BESIDE = "('failure_rate', 'slow_call_rate', 'calls')"

# Rows told of these times.
_NEAR = f"""at >= {{start:DateTime64(3, 'UTC')}} - toIntervalSecond({_LATE_S + LOOK_BACK_S})
          AND at < {{end:DateTime64(3, 'UTC')}} + toIntervalSecond({_AHEAD_S + LOOK_BACK_S})"""
_OWN = f"{_NEAR} AND batch_id = this_window"
_TRANSITIONS = f"""
INSERT INTO breaker_transitions (at, service, env, breaker, target, instance, from_state, to_state, reason, failure_rate,
                                 slow_call_rate, calls, not_permitted, derived, interval_ms, trace_id, span_id, observed_at,
                                 batch_id, source, retention_days)
WITH
    toUnixTimestamp64Milli({{start:DateTime64(3, 'UTC')}}) - {_LATE_S * 1000} AS begin_ms,
    toUnixTimestamp64Milli({{end:DateTime64(3, 'UTC')}}) AS end_ms,
    concat('{_FROM}/', toString(toUnixTimestamp64Milli({{start:DateTime64(3, 'UTC')}})), '-', toString(end_ms)) AS this_window,
    -- a counter that is new counts from nothing; one that fell began anew
    (unknown, alone, now_count, then_count) -> multiIf(unknown, 0., alone OR now_count < then_count, now_count, now_count - then_count) AS grown,
    series AS
    (
        SELECT series_id, any(service) AS service, any(env) AS env, any(role) AS role, any(called) AS breaker, any(state) AS state,
               any(instance) AS instance, min(born_ms) AS born_ms
        FROM
        (
            SELECT series_id, CAST(service, 'String') AS service, CAST(env, 'String') AS env, way.2 AS role,
                   {called("way.3")} AS called,
                   replaceAll(lower(labels['state']), '-', '_') AS state,
                   {INSTANCE} AS instance,
                   toUnixTimestamp64Milli(first_seen) AS born_ms
            FROM metric_series
            -- only the rows of its own name: labels are copied for each
            ARRAY JOIN arrayFilter(row -> row.1 = name, {{ways:Array(Tuple(String, String, String, String, String))}}) AS way
            WHERE name IN (arrayMap(each -> each.1, {{ways:Array(Tuple(String, String, String, String, String))}}))
              AND (way.4 = '' OR labels[way.4] = way.5)
              AND last_seen >= {{start:DateTime64(3, 'UTC')}} - toIntervalSecond({_LATE_S + LOOK_BACK_S})
        )
        WHERE called != ''
        GROUP BY series_id
    ),
    changed AS
    (
        SELECT service, env, breaker, instance, kept_days, looks,
               arrayJoin(arrayFilter((number, look) -> look.at >= begin_ms, arrayEnumerate(looks), looks)) AS number,
               looks[number] AS now, number = 1 OR now.at - looks[number - 1].at > {LOOK_BACK_S * 1000} AS first,
               if(first, now, looks[number - 1]) AS before,
               if(first, 0, now.at - before.at) AS interval_ms,
               first AND born_ms < now.at AS unknown_before,
               grown(unknown_before, first, now.opened, before.opened) AS opened,
               grown(unknown_before, first, now.half_opened, before.half_opened) AS half_opened,
               grown(unknown_before, first, now.closed, before.closed) AS closed,
               if(first, 0., grown(false, false, now.not_permitted, before.not_permitted)) AS refused,
               multiIf(now.state != '' AND (first OR now.state != before.state), [(now.at, if(first, '', before.state), now.state)],
                       now.state = 'closed' AND (refused > 0 OR (NOT first AND opened > 0)),
                           [(before.at + intDiv(interval_ms, 3), 'closed', 'open'), (before.at + intDiv(2 * interval_ms, 3), 'open', 'closed')],
                       now.state != '', [],
                       arrayFilter(change -> change.3 != '',
                                   [(now.at - 1, '', if(opened > 0, 'open', '')), (now.at, '', if(half_opened > 0, 'half_open', '')),
                                    (now.at + 1, '', multiIf(closed > 0 AND closed >= opened, 'closed', opened > 1 AND half_opened > 0, 'open', ''))])) AS changes
        FROM
        (
            SELECT service, env, breaker, instance, any(kept_days) AS kept_days, min(born_ms) AS born_ms,
                   arraySort(look -> look.at, groupArray(CAST((at, state, opened, half_opened, closed, not_permitted, failure_rate, slow_call_rate, calls, parts),
                       'Tuple(at Int64, state String, opened Float64, half_opened Float64, closed Float64, not_permitted Float64,
                              failure_rate Float64, slow_call_rate Float64, calls Float64, parts UInt64)'))) AS seen,
                   arrayExists(look -> look.state != '', seen) AS stated,
                   arrayFilter((look, number) -> (look.state != '' OR NOT stated)
                                                 AND (look.at < end_ms - {_PARTS_S * 1000} OR look.parts >= arrayMax(each -> each.parts, arraySlice(seen, 1, number))),
                               seen, arrayEnumerate(seen)) AS looks
            FROM
            (
                SELECT service, env, breaker, instance, toUnixTimestamp64Milli(s.at) AS at, any(retention_days) AS kept_days, min(born_ms) AS born_ms,
                       multiIf(maxIf(value, role = 'flag') > 0, 'open',
                               countIf(role = 'flag') > 0, 'closed',
                               countIf(role = 'number') > 0, ['closed', 'half_open', 'open', ''][toUInt8(least(maxIf(value, role = 'number'), 3)) + 1],
                               argMaxIf(state, value, role = 'state' AND value > 0)) AS state,
                       sumIf(value, role = 'opened') AS opened, sumIf(value, role = 'half_opened') AS half_opened,
                       sumIf(value, role = 'closed') AS closed, sumIf(value, role = 'not_permitted') AS not_permitted,
                       maxIf(value, role = 'failure_rate') AS failure_rate, maxIf(value, role = 'slow_call_rate') AS slow_call_rate,
                       sumIf(value, role = 'calls') AS calls,
                       countIf(role NOT IN {_BESIDE}) AS parts
                FROM metric_samples AS s
                INNER JOIN series ON series.series_id = s.series_id
                -- the samples are sorted by series: those of breakers are few
                WHERE s.series_id IN (SELECT series_id FROM series) AND s.at >= {{start:DateTime64(3, 'UTC')}} - toIntervalSecond({_LATE_S + LOOK_BACK_S})
                  AND s.at < {{end:DateTime64(3, 'UTC')}} + toIntervalSecond({_AHEAD_S})
                  AND NOT isNaN(value)
                GROUP BY service, env, breaker, instance, s.at
            )
            GROUP BY service, env, breaker, instance
        )
    ),
    -- what the job told of these times, the window itself apart
    told AS
    (
        SELECT service, env, breaker, instance,
               groupArray(CAST((toUnixTimestamp64Milli(at), to_state, toUnixTimestamp64Milli(observed_at), if(interval_ms > 0, interval_ms, {LOOK_BACK_S * 1000})),
                   'Tuple(at Int64, state String, look Int64, within Int64)')) AS changes_told
        FROM breaker_transitions
        WHERE {_NEAR}
          AND startsWith(batch_id, '{_FROM}') AND batch_id != this_window
        GROUP BY service, env, breaker, instance
    ),
    derived_now AS
    (
        SELECT service, env, breaker, instance, kept_days, now, before, first, interval_ms, opened, refused, length(changes) AS together, change,
               groupArray((change.1, change.3)) OVER (PARTITION BY service, env, breaker, instance) AS all_changes
        FROM changed
        ARRAY JOIN changes AS change
        WHERE change.3 IN ('closed', 'open', 'half_open', 'forced_open', 'disabled', 'metrics_only')
    )
-- One block, however many the rows come in: rows that are told and rows that are read back are not cut alike, and of one token the engine takes blocks that are
-- cut otherwise for new ones.
SELECT row.1 AS at, row.2 AS service, row.3 AS env, row.4 AS breaker, row.5 AS target, row.6 AS instance, row.7 AS from_state, row.8 AS to_state,
       row.9 AS reason, row.10 AS failure_rate, row.11 AS slow_call_rate, row.12 AS calls, row.13 AS not_permitted, row.14 AS derived,
       row.15 AS interval_ms, row.16 AS trace_id, row.17 AS span_id, row.18 AS observed_at, row.19 AS batch_id, row.20 AS source,
       row.21 AS retention_days
FROM
(
    SELECT groupArray(tuple(at, service, env, breaker, target, instance, from_state, to_state, reason, failure_rate, slow_call_rate, calls,
                          not_permitted, derived, interval_ms, trace_id, span_id, observed_at, batch_id, source, retention_days)) AS rows
    FROM
    (
        SELECT fromUnixTimestamp64Milli(change.1, 'UTC') AS at, service, env, breaker,
               -- a cluster of Istio's: outbound|8080||payment.shop.svc.cluster.local
               multiIf(match(breaker, '^outbound\\\\|'), extract(breaker, '^outbound\\\\|[^|]*\\\\|[^|]*\\\\|([^.|]+)'), '') AS target,
               instance, change.2 AS from_state, change.3 AS to_state,
               multiIf(first, 'first sample', together = 2 AND now.state = 'closed' AND before.state = 'closed',
                       concat(if(refused > 0, concat(toString(toUInt64(refused)), ' calls were not permitted'), concat('it opened ', toString(toUInt64(opened)), ' times')),
                              ' between two samples ', toString(intDiv(interval_ms, 1000)), ' s apart'),
                       concat('seen in samples ', toString(intDiv(interval_ms, 1000)), ' s apart')) AS reason,
               if(now.failure_rate > 0, now.failure_rate / 100, NULL) AS failure_rate, if(now.slow_call_rate > 0, now.slow_call_rate / 100, NULL) AS slow_call_rate,
               if(now.calls > 0, toUInt64(now.calls), NULL) AS calls, if(refused > 0, toUInt64(refused), NULL) AS not_permitted,
               true AS derived, toUInt32(interval_ms) AS interval_ms, '' AS trace_id, '' AS span_id,
               fromUnixTimestamp64Milli(now.at, 'UTC') AS observed_at, this_window AS batch_id, 'metric' AS source, kept_days AS retention_days
        FROM derived_now
        LEFT JOIN told USING (service, env, breaker, instance)
        WHERE NOT arrayExists(
                  each -> (each.at = change.1 AND each.state = change.3)
                          OR (NOT has(all_changes, (each.at, each.state)) AND now.at > each.look - each.within
                              AND ((each.state = change.3 AND each.look > now.at - if(first, {LOOK_BACK_S * 1000}, derived_now.interval_ms))
                                   OR (each.at < each.look - 1 AND now.at <= each.look))),
                  changes_told)
          AND (toYYYYMM(at), kept_days) NOT IN (SELECT toYYYYMM(at), retention_days FROM breaker_transitions WHERE {_OWN})
        UNION ALL
        SELECT at, service, env, breaker, target, instance, from_state, to_state, reason, failure_rate, slow_call_rate, calls, not_permitted, derived, interval_ms,
               trace_id, span_id, observed_at, batch_id, source, retention_days
        FROM breaker_transitions
        WHERE {_OWN}
    )
)
ARRAY JOIN rows AS row
"""

_ANY = f"""
SELECT 1 AS found
FROM metric_series
WHERE name IN (arrayMap(each -> each.1, {{ways:Array(Tuple(String, String, String, String, String))}}))
  AND last_seen >= {{start:DateTime64(3, 'UTC')}} - toIntervalSecond({_LATE_S + LOOK_BACK_S})
LIMIT 1
"""

# Most breakers do what they did. Something may be told when a series that says so has more than one value, has ended, or has a gap in which five minutes
# have room; or when a service tells of several states and never that it is not in one: each of its series says 1 for ever, and the one that is there is the state.
# It costs a tenth of looking at all.
_CHANGES = f"""
SELECT 1 AS found
FROM
(
    SELECT series_id, min(value) AS least,
           min(value) != max(value)
               OR max(at) < {{end:DateTime64(3, 'UTC')}} - toIntervalSecond({_PARTS_S})
               OR countIf(at >= {{end:DateTime64(3, 'UTC')}} - toIntervalSecond({LOOK_BACK_S - _AHEAD_S})
                          AND at < {{start:DateTime64(3, 'UTC')}} - toIntervalSecond({_LATE_S})) = 0 AS changes
    FROM metric_samples
    WHERE series_id IN (
            SELECT series_id
            FROM metric_series
            WHERE name IN (arrayMap(each -> each.1, {{ways:Array(Tuple(String, String, String, String, String))}}))
              AND arrayExists(each -> each.1 = name AND each.2 NOT IN {_BESIDE} AND (each.4 = '' OR labels[each.4] = each.5),
                              {{ways:Array(Tuple(String, String, String, String, String))}})
              AND last_seen >= {{start:DateTime64(3, 'UTC')}} - toIntervalSecond({_LATE_S + LOOK_BACK_S}))
      AND at >= {{start:DateTime64(3, 'UTC')}} - toIntervalSecond({_LATE_S + LOOK_BACK_S})
      AND at < {{end:DateTime64(3, 'UTC')}} + toIntervalSecond({_AHEAD_S})
      AND NOT isNaN(value)
    GROUP BY series_id
) AS samples
LEFT ANY JOIN
(
    SELECT series_id, name, service, env, labels['state'] AS state
    FROM metric_series
    WHERE name IN (arrayMap(each -> each.1, arrayFilter(each -> each.2 = 'state', {{ways:Array(Tuple(String, String, String, String, String))}})))
      AND last_seen >= {{start:DateTime64(3, 'UTC')}} - toIntervalSecond({_LATE_S + LOOK_BACK_S})
) AS stated USING (series_id)
GROUP BY name, service, env
HAVING max(changes) OR (uniqExact(state) > 1 AND min(least) > 0)
LIMIT 1
"""

BREAKER_STATES = Job(
    "breaker_states",
    reads="metric_samples",
    version=4,
    window_s=15,
    delay_s=0,
    late_s=_LATE_S,
    statements=(Statement("breaker_transitions", _TRANSITIONS),),
    wanted=(_ANY, _CHANGES),
    params={"ways": [tuple(way) for way in WAYS]},
)
