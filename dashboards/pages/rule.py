"""One rule: what it says, whether it holds, what it did before, and how noisy it is."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, replace
from typing import Annotated

from starlette.exceptions import HTTPException

from dashboards.api import Problem, Row, Section
from dashboards.charts import Limit
from dashboards.pages.page import Page, Visit, text_of
from dashboards.pages.rules import NOISE_RULES, NOISE_SINCE
from dashboards.promql import Drawn, draw
from dashboards.render import Help

PROMQL_KINDS = ("expr", "record")
HISTORY_SINCE = "-30d"
HISTORY_SHOWN = 50
# A condition on all of an expression: without it the chart has a course, not only the moments at which it fires.
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_CONDITION = re.compile(
    rf"(?P<left>.+?)\s*(?P<op>==|!=|>=|<=|>|<)\s*(?P<number>{_NUMBER})\s*", re.DOTALL | re.IGNORECASE
)
_CONDITION_BEFORE = re.compile(
    rf"(?P<number>{_NUMBER})\s*(?P<op>==|!=|>=|<=|>|<)\s*(?P<left>.+?)\s*", re.DOTALL | re.IGNORECASE
)
_TURNED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
_SET_WORDS = re.compile(r"\b(?:and|or|unless|bool)\b")


@dataclass(frozen=True)
class RuleContext:
    """Everything the page of one rule shows."""

    answer: Annotated[Section, Help("The rule, of GET /rules.", decides_status=True)]
    it: Annotated[Row | None, Help("The rule; None if none has this id.")]
    living: Annotated[Section, Help("Its pending and firing alerts, of GET /alerts.")]
    history: Annotated[Section, Help("Its alerts that ended within 30 days, the newest first.")]
    older: Annotated[bool, Help("Whether there may be more than the history shows.")]
    noise: Annotated[Section, Help("Its row of GET /alerts/noise; none if it did not fire in seven days.")]
    drawn: Annotated[Drawn | None, Help("Its expression over the time range; None if it is no PromQL.")]
    limit: Annotated[
        str, Help("The condition that is a line in the chart, as > 0.05; empty if all is drawn.")
    ]
    graph_url: Annotated[str, Help("The expression on the Metrics page.")]
    matchers: Annotated[str, Help("What the silence form is opened with.")]


async def load(visit: Visit) -> RuleContext:
    """Ask for the rule, its alerts of now and before, its noise, and the course of its expression."""
    if len(visit.segments) != 2:
        raise HTTPException(404)
    rule_id = visit.segments[1]
    answer = _chosen(await visit.api.get("rules"), rule_id)
    it = answer.first
    left, limit = watched(text_of(it, "expr")) if it and it.get("kind") in PROMQL_KINDS else ("", "")
    mine = {"rule_id": rule_id}
    past = {**mine, "state": "resolved", "start": HISTORY_SINCE, "limit": str(HISTORY_SHOWN + 1)}
    living, history, noise, drawn = await asyncio.gather(
        visit.api.get("alerts", params=mine),
        visit.api.get("alerts", params=past),
        visit.api.get("alerts", "noise", params={"start": NOISE_SINCE, "limit": NOISE_RULES}),
        _drawn(visit, left, limit),
    )
    ended = _of_rule(history, rule_id, ("resolved",))
    return RuleContext(
        answer=answer,
        it=it,
        living=_of_rule(living, rule_id, ("pending", "firing")),
        history=Section(ended.rows[:HISTORY_SHOWN], ended.problem),
        older=len(ended.rows) > HISTORY_SHOWN,
        noise=_of_rule(noise, rule_id),
        drawn=drawn,
        limit=limit,
        graph_url=visit.window.url("graph", q1=left),
        matchers=f"alertname={json.dumps(text_of(it, 'name'), ensure_ascii=False)}" if it else "",
    )


def watched(expr: str) -> tuple[str, str]:
    """
    Split *expr* into what it watches and the condition on it.

    Returns:
        ``rate(errors[5m]) > 5`` and ``5 < rate(errors[5m])`` -> ``("rate(errors[5m])", "> 5")``; ``(expr, "")`` where it is not a comparison of all of
        it with a number.
    """
    text = expr.strip()
    after, before = _CONDITION.fullmatch(text), _CONDITION_BEFORE.fullmatch(text)
    for found, op in (
        (after, after and after["op"]),
        (before, before and _TURNED.get(before["op"], before["op"])),
    ):
        if found and not _SET_WORDS.search(found["left"]) and _balanced(found["left"]):
            return found["left"], f"{op} {found['number']}"
    return expr, ""


def threshold(limit: str) -> Limit | None:
    """Give the line that a condition, ``> 0.05``, draws; ``None`` = there is none."""
    return Limit(float(limit.split(" ")[1]), f"limit: {limit}") if limit else None


def _balanced(text: str) -> bool:
    return text.count("(") == text.count(")") and not re.search(r"[<>]|[=!]=", re.sub(r"\{[^}]*\}", "", text))


async def _drawn(visit: Visit, query: str, limit: str) -> Drawn | None:
    if not query:
        return None
    drawn = await draw(visit.api, visit.window, "rule", query, traces=False)
    return replace(drawn, chart=drawn.chart and replace(drawn.chart, limit=threshold(limit)))


def _chosen(rules: Section, rule_id: str) -> Section:
    if rules.problem:
        return rules
    found = tuple(row for row in rules.rows if text_of(row, "id") == rule_id)
    text = "No rule in force has this address. It changes with the rule's kind, group, name and labels."
    return Section(found[:1], None if found else Problem(404, "not_found", text))


def _of_rule(answer: Section, rule_id: str, states: tuple[str, ...] = ()) -> Section:
    rows = (row for row in answer.rows if text_of(row, "rule_id") == rule_id)
    return replace(answer, rows=tuple(row for row in rows if not states or row.get("state") in states))


PAGE = Page("/rules/{rest:path}", "rule.html", "rules", RuleContext, load)
