"""
Queues: who sends to which and who takes from it, by spans; how long each is and where that leads, by the brokers' own metrics.

`METRICS` says which metrics of which exporters play which role for the queue that a label names:

=============  ==========================================================
``ready``      messages that wait
``unacked``    taken and not yet acknowledged
``lag``        offsets that a consumer group is behind, per partition
``consumers``  how many take from it, as the broker counts
``members``    how many are in a consumer group
``produced``   a partition's newest offset; ``consumed`` a group's
=============  ==========================================================

Sources: RabbitMQ's ``rabbitmq_prometheus`` (``/metrics/per-object``, ``/metrics/detailed``), danielqsj/kafka_exporter, the Kafka client's
``consumer-fetch-manager-metrics`` as Micrometer and the JMX exporter name them, Burrow.
"""

from __future__ import annotations

from typing import NamedTuple

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.sql import Reader, Row

# A sample this old is not the present; the trend is long enough to be one and short enough to be this one.
_FRESH_NS = 180 * SECOND_NS
_TREND_NS = 600 * SECOND_NS
TREND_S = 600


class Metric(NamedTuple):
    """Samples of *metric* play *role* for the queue of *system* named by the label *queue*; *group* is the label of the consumer group."""

    metric: str
    role: str
    system: str
    queue: str
    group: str = ""


_LAG, _FETCH = "kafka_consumergroup", "kafka_consumer_fetch_manager"
METRICS: tuple[Metric, ...] = (
    Metric("rabbitmq_queue_messages_ready", "ready", "rabbitmq", "queue"),
    Metric("rabbitmq_queue_messages_unacked", "unacked", "rabbitmq", "queue"),
    Metric("rabbitmq_queue_consumers", "consumers", "rabbitmq", "queue"),
    Metric("rabbitmq_detailed_queue_messages_ready", "ready", "rabbitmq", "queue"),
    Metric("rabbitmq_detailed_queue_messages_unacked", "unacked", "rabbitmq", "queue"),
    Metric("rabbitmq_detailed_queue_consumers", "consumers", "rabbitmq", "queue"),
    Metric(f"{_LAG}_lag", "lag", "kafka", "topic", "consumergroup"),
    Metric(f"{_LAG}_members", "members", "kafka", "", "consumergroup"),
    Metric(f"{_LAG}_current_offset", "consumed", "kafka", "topic", "consumergroup"),
    Metric("kafka_topic_partition_current_offset", "produced", "kafka", "topic"),
    Metric(f"{_FETCH}_records_lag", "lag", "kafka", "topic", "client_id"),
    Metric(f"{_FETCH}_metrics_records_lag", "lag", "kafka", "topic", "client_id"),
    Metric("burrow_kafka_consumer_partition_lag", "lag", "kafka", "topic", "group"),
)

# Of a sender or taker the spans that count each message once: a producer's own, a consumer's processing; where there are none, whatever there is.
_USERS = """
SELECT env, system, queue, role, service, consumer_group,
       kind = role AND operation NOT IN ('receive', 'poll') AS single,
       sum(q.calls) AS calls, sum(q.errors) AS failed, sum(q.messages) AS messages, sum(q.duration_ns_sum) / sum(q.calls) / 1e6 AS mean_ms,
       max(q.last_at) AS last_at, toUnixTimestamp(min(minute)) AS first
FROM queue_minutes AS q
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String})
GROUP BY env, system, queue, role, service, consumer_group, single
ORDER BY single DESC
LIMIT 1 BY env, system, queue, role, service, consumer_group
LIMIT 50000
"""


def users(reader: Reader, window: Window, env: str) -> list[Row]:
    """
    Return ``{env, system, queue, role, service, consumer_group, calls, failed, messages, mean_ms, last_at, first}`` of *window*.

    *messages* are weighted where traces are sampled; *first* is the first minute, seconds since the epoch.
    """
    return reader.rows(_USERS, {**window.params(), "env": env})


_PAIRS = """
SELECT env, system, producer, sent_to, received_from, consumer, sum(m.calls) AS calls,
       arrayMap(ns -> round(ns / 1e6, 3), quantilesTDigestMerge(0.5, 0.95, 0.99)(m.waited_ns)) AS waited_ms
FROM message_minutes AS m
WHERE minute >= toStartOfMinute({start:DateTime64(9, 'UTC')}) AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String})
GROUP BY env, system, producer, sent_to, received_from, consumer
ORDER BY calls DESC
LIMIT 20000
"""


def pairs(reader: Reader, window: Window, env: str) -> list[Row]:
    """Return ``{env, system, producer, sent_to, received_from, consumer, calls, waited_ms}``; *waited_ms* p50, p95, p99."""
    return reader.rows(_PAIRS, {**window.params(), "env": env})


_SERIES = """
    SELECT series_id, any(of_env) AS env, any(of_system) AS system, any(called) AS queue, any(of_group) AS consumer_group, any(plays) AS role,
           any(metric_name) AS metric
    FROM (
        SELECT series_id, CAST(env, 'String') AS of_env, metric.1 AS metric_name, metric.2 AS plays, metric.3 AS of_system,
               if(metric.4 = '', '', labels[metric.4]) AS called, if(metric.5 = '', '', labels[metric.5]) AS of_group
        FROM metric_series
        ARRAY JOIN {metrics:Array(Tuple(String, String, String, String, String))} AS metric
        WHERE name IN {names:Array(String)} AND name = metric.1 AND last_seen >= {fresh:DateTime64(9, 'UTC')}
          AND ({env:String} = '' OR env IN ('', {env:String}))
    )
    WHERE called != '' OR plays = 'members'
    GROUP BY series_id
"""
# Each series by itself: its newest value, and the slope of its last ten minutes, which for an offset is its rate. What it is called is joined last.
_AMOUNTS = f"""
SELECT env, system, queue, consumer_group, role, metric, sum(told.newest) AS amount, sum(if(isFinite(told.slope), told.slope, 0)) AS per_s, sum(told.samples) AS samples
FROM (
    SELECT series_id, argMax(value, at) AS newest, max(at) AS newest_at, count() AS samples,
           simpleLinearRegression(toUnixTimestamp64Milli(at) / 1000 - toUnixTimestamp64Milli({{trend:DateTime64(3, 'UTC')}}) / 1000, value).1 AS slope
    FROM metric_samples
    WHERE series_id IN (SELECT series_id FROM metric_series WHERE name IN {{names:Array(String)}} AND last_seen >= {{fresh:DateTime64(9, 'UTC')}}
                        AND ({{env:String}} = '' OR env IN ('', {{env:String}})))
      AND at >= {{trend:DateTime64(3, 'UTC')}} AND at < {{end:DateTime64(9, 'UTC')}} AND isFinite(value)
    GROUP BY series_id
    HAVING newest_at >= {{fresh:DateTime64(9, 'UTC')}}
) AS told
INNER JOIN ({_SERIES}) AS series ON series.series_id = told.series_id
GROUP BY env, system, queue, consumer_group, role, metric
ORDER BY metric
LIMIT 1 BY env, system, queue, consumer_group, role
LIMIT 50000
"""


def amounts(reader: Reader, window: Window, env: str) -> list[Row]:
    """
    Return ``{env, system, queue, consumer_group, role, amount, per_s, samples}`` at the end of *window*, partitions and nodes added up.

    Of several exporters that tell the same, one is believed.
    *env* "" in a row: the exporter names none. *per_s* is the trend of the last ten minutes.
    """
    end_ns = min(window.end_ns, window.now_ns)
    params = {
        "metrics": [tuple(metric) for metric in METRICS],
        "names": sorted({metric.metric for metric in METRICS}),
        "fresh": sql_time(max(end_ns - _FRESH_NS, 0)),
        "trend": sql_time(max(end_ns - _TREND_NS, 0)),
        "end": sql_time(end_ns),
        "env": env,
    }
    return reader.rows(_AMOUNTS, params)
