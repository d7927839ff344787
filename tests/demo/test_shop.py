"""The shop as a whole: real processes, real breakers, faults switched from the command line."""

from __future__ import annotations

import signal
import socket
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.system


def _traces(shop: Any, service: str, event: str, **fields: Any) -> set[str]:
    wanted = {"event": event, **fields}
    return {line["trace_id"] for line in shop.lines(service) if wanted.items() <= line.items()}


def test_an_order_is_one_trace_from_the_gateway_through_the_queue(shop: Any, eventually: Any) -> None:
    """An order's log lines in gateway, checkout, inventory, payment and, across the queue, notifications share a trace."""
    answer = _ordered(shop, "visitor-1", eventually)

    order = answer.json()["order"]
    told = eventually(
        lambda: _traces(shop, "notifications", "notification_sent", order=order), "the notification is sent"
    )
    assert told == _traces(shop, "checkout", "order_placed", order=order)
    assert told == _traces(shop, "payment", "payment_taken", order=order)
    assert told == _traces(shop, "inventory", "stock_reserved", reservation=order)
    eventually(
        lambda: told <= _traces(shop, "gateway", "request_handled", **{"http.route": "/v2/orders"}),
        "the gateway says that it has answered",
    )


def _ordered(shop: Any, user: str, eventually: Any) -> httpx.Response:
    """An order that was taken; one that meets a machine that stands still for seconds times out within the shop, as in any other."""
    found: httpx.Response = eventually(
        lambda: answer if (answer := shop.order(user)).status_code == 201 else None, "an order is taken"
    )
    return found


def test_broken_payment_opens_checkouts_breaker_and_healing_closes_it(shop: Any, eventually: Any) -> None:
    """Under load the breaker opens seconds after payment fails, calls stop reaching it, and after healing it closes by itself."""
    shop.switch("payment", "errors", "on")
    eventually(lambda: "open" in shop.transitions("checkout", "payment"), "checkout's breaker opens")

    opened, *_ = [  # it may have been tried again, and opened again, meanwhile
        line
        for line in shop.lines("checkout")
        if (line.get("breaker"), line.get("to")) == ("payment", "open")
    ]
    eventually(
        lambda: opened["span_id"] in [line["span_id"] for line in shop.lines("checkout") if line["event"] == "call_failed"],
        "the transition leads to the call that caused it",
    )  # fmt: skip
    assert shop.order("visitor-2").status_code == 502
    refused = [line for line in shop.lines("checkout") if line.get("error.type") == "breaker_open"]
    assert refused
    shop.switch("payment", "errors", "off")
    eventually(
        lambda: shop.transitions("checkout", "payment")[-2:] == ["half_open", "closed"],
        "the breaker closes",
    )
    _ordered(shop, "visitor-3", eventually)


def test_a_declined_card_is_an_answer_and_not_an_error(shop: Any) -> None:
    """A 402 reaches the customer and no service logs it as a failure."""
    with httpx.Client(base_url=shop.gateway) as customer:
        customer.post("/v2/cart/visitor-4/items", json={"product": "p-02", "quantity": 1}).raise_for_status()
        answer = customer.post("/v2/orders", json={"user": "visitor-4", "card": "declined-0001"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "card_declined")
    failures = [line for line in shop.lines("payment") if line["event"] == "request_failed"]
    assert all(line["error.type"] == "fault_injected" for line in failures)


def test_a_crashed_service_is_started_again_and_counted(shop: Any, eventually: Any) -> None:
    """After a crash the service answers again under a new pid and the state file says restarts: 1."""
    before = shop.service("notifications")

    shop.switch("notifications", "crash", "on")

    eventually(
        lambda: shop.service("notifications")["restarts"] == before["restarts"] + 1, "a restart is counted"
    )
    assert shop.service("notifications")["pid"] != before["pid"]
    eventually(lambda: _answers(before["url"]), "it answers on its old port again")


def test_a_service_that_is_down_refuses_connections_until_it_is_switched_off(
    shop: Any, eventually: Any
) -> None:
    """While down, connecting is refused; the control port still takes the switch back."""
    port = shop.service("notifications")["port"]
    eventually(lambda: _connects(port), "it listens")

    shop.switch("notifications", "down", "on")
    eventually(lambda: not _connects(port), "connections are refused")

    shop.switch("notifications", "down", "off")
    eventually(lambda: _connects(port), "connections are taken again")


def test_a_leak_grows_to_its_bound_and_is_given_back(shop: Any, eventually: Any) -> None:
    """The leak stops at the MiB asked for and goes with the fault."""
    control = f"http://127.0.0.1:{shop.service('inventory')['control_port']}/_fault"

    shop.switch("inventory", "leak", "on", "--value", "10")

    eventually(lambda: httpx.get(control).json()["leaked_bytes"] == 10 * 1024 * 1024, "10 MiB are held")
    shop.switch("inventory", "leak", "off")
    assert httpx.get(control).json()["leaked_bytes"] == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"fault": "sloow", "on": True}, "'sloow'"),
        ({"fault": "slow", "on": "yes"}, "'yes'"),
        ({"fault": "errors", "on": True, "value": 101}, "101"),
        ({"on": True}, "fault"),
        ([], "JSON object"),
    ],
)
def test_a_wrong_fault_over_http_is_refused_with_the_value(shop: Any, body: Any, said: str) -> None:
    """POST /_fault answers 400 quoting what is wrong, and nothing is switched."""
    answer = httpx.post(f"{shop.service('catalog')['url']}/_fault", json=body)

    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert httpx.get(f"{shop.service('catalog')['url']}/_fault").json()["faults"] == {}


@pytest.mark.parametrize(
    ("method", "path", "content", "said"),
    [
        ("POST", "/v2/orders", "{", "not JSON"),
        ("POST", "/v2/orders", "[]", "JSON list"),
        ("POST", "/v2/orders", '{"user": "visitor-5"}', "'card'"),
        ("POST", "/v2/cart/visitor-5/items", '{"product": "p-01", "quantity": 0}', "quantity is 0"),
    ],
)
def test_a_wrong_order_is_declined_with_the_reason(
    shop: Any, method: str, path: str, content: str, said: str
) -> None:
    """A customer's mistake is a 400 that quotes it, through every service it passes, and no service's error."""
    answer = httpx.request(method, f"{shop.gateway}{path}", content=content)

    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_a_web_page_cannot_switch_faults(shop: Any) -> None:
    """A request with an Origin, which only browsers send, is forbidden."""
    body = {"fault": "crash", "on": True}
    answer = httpx.post(
        f"{shop.service('catalog')['url']}/_fault", json=body, headers={"origin": "http://evil.example"}
    )

    assert answer.status_code == 403


def test_metrics_show_every_bulkhead_with_its_limit(shop: Any) -> None:
    """Checkout's exposition has free slots, limit, queue and rejections per target."""
    text = httpx.get(f"{shop.service('checkout')['url']}/metrics").text

    assert 'resilience4j_bulkhead_max_allowed_concurrent_calls{name="payment"} 8.0' in text
    for metric in ("available_concurrent_calls", "queue_depth", "rejected_calls_total"):
        assert f'resilience4j_bulkhead_{metric}{{name="inventory"}}' in text


def test_a_second_shop_in_the_same_place_is_refused(shop: Any, run_demo: Any) -> None:
    """``up`` on the data dir of a running shop exits 2 and names the one that runs."""
    ended = run_demo("up", "--no-sidecars", "--data-dir", str(shop.data_dir))

    assert ended.returncode == 2
    assert f"pid {shop.process.pid}" in ended.stderr


def test_children_die_with_a_killed_orchestrator(
    tmp_path: Any, start_shop: Any, is_alive: Any, eventually: Any
) -> None:
    """SIGKILL of ``up`` leaves no service behind."""
    running = start_shop(tmp_path, "--no-sidecars")
    pids = running.pids()

    running.process.send_signal(signal.SIGKILL)
    running.process.communicate(timeout=60)

    eventually(lambda: not [pid for pid in pids if is_alive(pid)], "every child is gone")


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.HTTPError:
        return False
