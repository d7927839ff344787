"""Evidence of a probable cause: a sentence, the number, what is usual, the page that shows it."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from collector.health.anomaly import Anomaly
from collector.health.suspect import Node, Suspect
from collector.query.window import SECOND_NS, rfc_3339
from collector.read.sql import Row


def evidence(node: Node, it: Suspect) -> list[Row]:
    """Give all evidence against *it*, the strongest first; ``{code, message, value, threshold, url}``."""
    name, env = node
    found = [_sign(name, env, each) for each in sorted(it.own, key=lambda each: -each.score)]
    if it.seen:
        words = (
            "calls to it fail or are slow, and it is silent itself"
            if it.heard
            else "calls to it fail or are slow; it sends nothing itself"
        )
        found.append(_said("calls_to_it", words, it.seen, 0, _page("/map", env)))
    if it.opened:
        holders = ", ".join(sorted({each.service for each in it.opened}))
        found.append(
            _said(
                "breakers_on_it",
                f"{holders} opened a breaker on it",
                len(it.opened),
                1,
                _page("/breakers", env),
            )
        )
    if it.deploy:
        version = it.deploy["version"]
        words = f"version {version} was first seen at {it.deploy['first_seen'][11:19]} UTC, shortly before"
        found.append(_said("deploy", words, 1, 1, _service(name, env)))
    return found


def _sign(name: str, env: str, each: Anomaly) -> Row:
    since = f"since {rfc_3339(each.began_s * SECOND_NS)[11:16]} UTC"
    sentences = {
        "errors": f"{each.value:.1%} of its calls fail {since} that nothing it calls explains, usually {each.usual:.1%}",
        "latency": f"it takes {each.value:.4g} ms {since}, and nothing it calls explains that; usually {each.usual:.4g} ms",
        "log_errors": f"{each.value:.0%} of its log records are errors {since}, usually {each.usual:.0%}",
        "gone": f"nothing came from it {since}, though it is called; usually {each.usual:.0f} calls a minute",
        "unanswered": f"{each.value:.0%} of the calls to it did not arrive {since}, usually {each.usual:.0%}",
        "retries": f"it gives up its calls to {each.about} and sends {each.value:.1f} for a request {since}, usually {each.usual:.1f}; {each.about} answers",
        "cpu": f"its CPU is at {each.value:.3g} {since}, usually {each.usual:.3g}",
        "throttling": f"its CPU is throttled in {each.value:.0%} of the periods {since}, usually {each.usual:.0%}",
        "memory": f"its memory is at {_amount(each.value)} {since}, usually {_amount(each.usual)}",
        "oom": f"it was killed for its memory {since}",
        "restarts": f"it restarted {since}",
        "saturation": f"its pool {each.about} is full {since}, and requests wait for it; usually {each.usual:.0%} of it is in use",
        "queue": f"{each.value:.0f} messages wait in {each.about} {since}, usually {each.usual:.0f}",
        "io": f"its disk or network use is at {each.value:.3g} {since}, usually {each.usual:.3g}",
    }
    pages = {
        "errors": _page("/traces", env, service=name, error="true"),
        "latency": _page("/traces", env, service=name),
        "log_errors": _page("/logs", env, query=f'service:"{name}" severity:>=error'),
    }
    return _said(
        each.kind, sentences[each.kind], each.value, each.usual, pages.get(each.kind, _service(name, env))
    )


def _amount(value: float) -> str:
    """Write a share of a limit, or bytes."""
    return f"{value:.0%} of its limit" if value <= 2 else f"{value / 1e6:.3g} MB"


def _service(name: str, env: str) -> str:
    return _page(f"/services/{quote(name, safe='')}", env)


def _said(code: str, message: str, value: float, threshold: float, url: str) -> Row:
    return {
        "code": code,
        "message": message,
        "value": round(value, 4),
        "threshold": round(threshold, 4),
        "url": url,
    }


def _page(path: str, env: str, **parameters: str) -> str:
    asked = {**parameters, **({"env": env} if env else {})}
    return f"{path}?{urlencode(asked)}" if asked else path
