"""The signed webhook: published vectors, several secrets, credentials, headers, templates."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from collector.alerting import AlertingSettings, Receiver
from collector.alerting.receivers import render
from collector.alerting.signature import sign
from collector.errors import Malformed
from tests.collector.alerting.receivers.conftest import AT, SECRET, alert, group, message

OTHER = "whsec_plJ3nmyCDGBKInavdOK15jsl"
URL = "https://hooks.example.com/x"


def receiver(**fields):
    """Give a webhook receiver."""
    return Receiver(**{"name": "pager", "url": URL, "secret": SECRET, **fields})


@pytest.mark.parametrize(
    ("secret", "webhook_id", "timestamp", "body", "signature"),
    [
        (
            SECRET,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_" + OTHER.removeprefix("whsec_"),
            "msg_loFOjxBNrRLzqYUf",
            1731705121,
            b'{"event_type":"ping","data":{"success":true}}',
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        ),
    ],
)
def test_the_published_vectors(monkeypatch, secret, webhook_id, timestamp, body, signature):
    """The signature is, to the byte, what Standard Webhooks' own examples print."""
    # The second key is 18 bytes: shorter than we let people choose.
    monkeypatch.setattr("collector.alerting.signature.SHORTEST_BYTES", 18)

    headers = sign(secret, webhook_id, datetime.fromtimestamp(timestamp, UTC), body)

    assert headers == {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }


def test_several_secrets_sign_side_by_side():
    """While a secret is changed, who knows the old one and who knows the new one both verify; a stranger does not."""
    new, old, never = ("whsec_" + letter * 32 for letter in "ABC")
    now = datetime.now(UTC)
    headers = sign(f"{new} {old}", "msg_1", now, b'{"a":1}')

    assert Webhook(new).verify(b'{"a":1}', headers) == {"a": 1}
    assert Webhook(old).verify(b'{"a":1}', headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(never).verify(b'{"a":1}', headers)


def test_the_body_is_the_stored_payload():
    """Not one byte is changed between the outbox and the wire."""
    told = message()

    assert render(told, receiver()).body == told.payload.encode()


@pytest.mark.parametrize(
    ("fields", "authorization"),
    [
        ({"token": "t0ken"}, "Bearer t0ken"),
        ({"username": "fuse", "password": "pä:ss"}, "Basic ZnVzZTpww6Q6c3M="),
        ({"headers": {"Authorization": "Custom x"}}, "Custom x"),
    ],
)
def test_credentials_are_sent(fields, authorization):
    """Bearer, Basic (UTF-8), or whatever the settings write."""
    assert render(message(), receiver(**fields)).headers["Authorization"] == authorization


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"headers": {"X-A": "1\r\nHost: evil"}}, "'X-A' is not one line"),
        ({"headers": {"X-A\r\nHost": "1"}}, "is no name of a header"),
        ({"headers": {"X A": "1"}}, "is no name of a header"),
        ({"headers": {"": "1"}}, "is no name of a header"),
        ({"headers": {"Host": "evil"}}, "'Host': is written by Fuseboard"),
        ({"headers": {"content-LENGTH": "0"}}, "is written by Fuseboard"),
        ({"headers": {"webhook-signature": "v1,x"}}, "is written by Fuseboard"),
        ({"headers": {"X-A": "é"}}, "not one line of ASCII"),
        ({"headers": {"authorization": "x"}, "token": "t"}, "is made from token"),
        ({"token": "a\nb"}, "token holds a control character"),
        ({"content_type": "text/plain\r\nX: y", "body": "x"}, "content_type holds a control character"),
        ({"token": "t", "username": "u", "password": "p"}, "either token or username"),
        ({"username": "u"}, "come together"),
        ({"password": "hunter2"}, "come together"),
    ],
)
def test_no_header_can_be_injected(fields, says):
    """A value with a line end, a name of ours, two ways to authorize: refused when the settings are read, secrets unquoted."""
    with pytest.raises(Malformed) as wrong:
        receiver(**fields)

    assert says in wrong.value.message
    assert "hunter2" not in wrong.value.message


def test_a_template_makes_the_body():
    """What a template sees: the event, and what any receiver can say of it."""
    template = (
        '{"text": {{ title | tojson }}, "who": {{ (data.labels.service ~ "/" ~ receiver) | tojson }},'
        ' "n": {{ alerts | length }}, "level": "{{ severity }}", "state": "{{ status }}", "none": "{{ data.no.such }}"}'
    )
    told = render(
        message(group(alert(), alert(labels={"breaker": "b"}), title='lost "payment"')),
        receiver(body=template),
    )

    assert json.loads(told.body) == {
        "text": 'lost "payment"',
        "who": "checkout/pager",
        "n": 2,
        "level": "critical",
        "state": "firing",
        "none": "",
    }
    assert told.headers["webhook-signature"] == sign(SECRET, "msg_1", AT, told.body)["webhook-signature"]


def test_a_template_may_make_any_content_type():
    """Plain text is sent as it comes, under its own name."""
    told = render(message(), receiver(body="{{ title }}\n", content_type="text/plain; charset=utf-8"))

    assert told.body == b"checkout has lost payment for 15 s\n"
    assert told.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ title", "line 1"),
        ("\n\n{% if %}", "line 3"),
        ('{"text": "{{ data.message }}"}', "it makes no JSON"),
        ("{{ data.value / 0 }}", "ZeroDivisionError"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{{ data.labels.update({'a': 'b'}) }}", "SecurityError"),
        ("{% include '/etc/passwd' %}", "TypeError"),
        ("{{ title | nosuch }}", "nosuch"),
        ("{% for i in range(10000000) %}x{% endfor %}", "OverflowError"),
        ('"{{ "x" * 2000000 }}"', "more than 1048576"),
    ],
)
def test_a_wrong_template_is_told_when_the_settings_are_read(template, says):
    """Syntax, missing quotes, a way out of the sandbox, too much: an error at the start that names the receiver."""
    with pytest.raises(Malformed) as wrong:
        AlertingSettings(receivers=(receiver(body=template),))

    assert wrong.value.code == "bad_template"
    assert "body of receiver 'pager'" in wrong.value.message
    assert says in wrong.value.message
