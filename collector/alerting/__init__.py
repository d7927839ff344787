"""
Alerting: from the breakers' states to a signed webhook that arrives exactly as often as it should.

In: rule files (Prometheus-shaped YAML), receivers, and every ``interval_s`` the current state of
each breaker (:class:`BreakerStates`, answered by ``read/breakers.py``). Out: webhooks, and what
``/api/v1/alerts``, ``/rules`` and ``/deliveries`` answer.

One round, in this order::

    inputs.py      what a breaker looks like to us
    rules.py       rule file -> Rule; rulefile.py keeps the lines, expression.py reads
                   `open for 15s {env="demo"}`, templates.py fills {{ $labels.breaker }}
    evaluate.py    (rules, living alerts, breakers, now) -> changes; pure
    announce.py    (breakers said to be open, breakers, now) -> opened, closed; pure
    history.py     alerts and announced breakers in state/
    plan.py        what of all this is told, and to whom:
      silences/, inhibition.py, topology.py -> muting.py   whom nobody is told of, and why
      flapping.py    what comes and goes is told once
      incidents/     alerts with one root as one story
      direct.py      without routes: each transition at once; routing/ with them: groups and their clocks
      matching.py    matchers on labels, for all of them
    events.py      a change, a group, an incident as the body of a webhook
    outbox.py      one row per event and receiver, in the same transaction as the change
    --------------- committed: from here on kill -9 loses nothing
    receivers/     an event as the request each kind of receiver understands; pure
    guard.py       may we connect there; the address checked is the address used
    dispatch.py    a batch for one receiver: webhooks.py (HTTP) or mail.py (SMTP), and what came back
    retry.py       when to try again; standing.py whether at all: busy, disabled, behind its breaker
    heartbeat.py   a sign of life while all of this works

    evaluator.py   the first half as one call; courier.py the second
    rounds.py      both evaluations and the recorder as calls; threads.py who makes them, and when; pulse.py whether it goes on
    roster.py      the receivers in state/
    service.py     the component: its parts, start and stop, health; answers.py, marks.py and deliveries.py what the API shows

What holds: a change and its outbox rows are one transaction, before anything is sent. A repeat
carries the same ``webhook-id``. No data, a stale breaker or a dead engine resolves nothing.
Within one subject (a breaker under a rule) a receiver gets events in the order they happened.
Source: design.md §10; https://www.standardwebhooks.com.
"""

from collector.alerting.inputs import BreakerNow, BreakerStates
from collector.alerting.pulse import AlertingHealth
from collector.alerting.rules import Rule, load_rules
from collector.alerting.service import Alerting
from collector.alerting.settings import AlertingSettings, Receiver

__all__ = [
    "Alerting",
    "AlertingHealth",
    "AlertingSettings",
    "BreakerNow",
    "BreakerStates",
    "Receiver",
    "Rule",
    "load_rules",
]
