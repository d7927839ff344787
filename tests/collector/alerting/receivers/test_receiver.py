"""Which kind takes what, and where secrets are not."""

from __future__ import annotations

import pytest

from collector.alerting import Receiver
from collector.alerting.receivers import KINDS
from collector.errors import Malformed
from collector.settings import SettingsError, describe, load
from collector.wiring import alerting
from tests.collector.alerting.receivers.conftest import SECRET

FIELDS = {
    "url": "https://hooks.example.com/p4th?q=t0ken",
    "secret": SECRET,
    "routing_key": "R" * 32,
    "api_key": "K" * 32,
    "sender": "fuse@example.com",
    "to": ("oncall@example.com",),
}
HIDDEN = (SECRET, "p4th", "t0ken", "R" * 32, "K" * 32, "pa55word", "s3cr3t")


def fields_of(kind):
    """Give what *kind* needs."""
    fields = {name: FIELDS[name] for name in KINDS[kind].needs}
    return fields | ({"url": "smtp://mail.example.com"} if kind == "email" else {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_asks_for_what_it_needs(kind):
    """With it the receiver is made, without any one of it the message names what is missing."""
    assert Receiver(name="r", kind=kind, **fields_of(kind)).url
    for name in KINDS[kind].needs:
        left = {key: value for key, value in fields_of(kind).items() if key != name}
        with pytest.raises(Malformed, match=f"of kind '{kind}' needs '{name}'"):
            Receiver(name="r", kind=kind, **left)


@pytest.mark.parametrize(
    ("kind", "more", "says"),
    [
        ("slack", {"secret": SECRET}, "does not take 'secret'"),
        ("slack", {"body": "x"}, "does not take 'body'"),
        ("webhook", {"routing_key": "x"}, "does not take 'routing_key'"),
        ("pagerduty", {"to": ("a@b",)}, "does not take 'to'"),
        ("webhook", {"url": "smtp://h"}, "write http://host"),
        ("email", {"url": "https://h"}, "write smtp://host"),
        ("email", {"url": "smtp://h/path"}, "has no path"),
        ("email", {"url": "smtp://me:hunter2@h"}, "no user and password"),
        ("email", {"to": ("nobody",)}, "to = 'nobody'"),
        ("email", {"to": ("a@b\r\nBcc: c@d",)}, "to = "),
        ("email", {"sender": "a@b, c@d"}, "sender = "),
        ("email", {"starttls": False, "username": "u", "password": "hunter2"}, "without TLS"),
        ("webhook", {"rate_per_minute": -1}, "rate_per_minute = -1"),
        ("webhook", {"secret": f"{SECRET} nonsense"}, "starts with 'whsec_'"),
        ("webhook", {"secret": " "}, "is blank"),
    ],
)
def test_a_field_that_does_not_fit_is_named(kind, more, says):
    """Never with its secret."""
    with pytest.raises(Malformed) as wrong:
        Receiver(**{"name": "r", "kind": kind, **fields_of(kind), **more})

    assert says in wrong.value.message
    assert "hunter2" not in wrong.value.message


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("webhook", "https://hooks.example.com/p4th"),
        ("slack", "https://hooks.example.com/…"),
        ("msteams", "https://hooks.example.com/…"),
        ("pagerduty", "https://events.pagerduty.com/v2/enqueue"),
        ("email", "smtp://mail.example.com"),
    ],
)
def test_a_url_is_shown_without_what_is_secret_in_it(kind, shown):
    """A query always, the path where it is the key."""
    assert Receiver(name="r", kind=kind, **fields_of(kind)).shown_url == shown


CONFIG = """
[[receivers]]
name = "hook"
url = "https://hooks.example.com/p4th?q=t0ken"
secret = ["{secret}", "{secret}"]
username = "u"
password = "pa55word"
headers = {{ X-Key = "s3cr3t" }}
[[receivers]]
name = "slack"
kind = "slack"
url_file = "{folder}/slack"
[[receivers]]
name = "duty"
kind = "pagerduty"
routing_key_env = "DUTY_KEY"
"""


def test_secrets_come_from_files_and_the_environment_and_are_printed_nowhere(tmp_path):
    """What is read is used; repr and ``fuseboard check`` show none of it."""
    (tmp_path / "slack").write_text("https://hooks.slack.example/p4th\n")
    config = tmp_path / "fuseboard.toml"
    config.write_text(CONFIG.format(secret=SECRET, folder=tmp_path))
    settings = load(config, {}, {})
    made = alerting(settings, {"DUTY_KEY": "R" * 32})

    hook, slack, duty = made.receivers
    assert hook.secret == f"{SECRET} {SECRET}"
    assert (hook.password, hook.headers) == ("pa55word", {"X-Key": "s3cr3t"})
    assert slack.url == "https://hooks.slack.example/p4th"
    assert duty.routing_key == "R" * 32
    assert [receiver.shown_url for receiver in (hook, slack)] == [
        "https://hooks.example.com/p4th",
        "https://hooks.slack.example/…",
    ]
    printed = f"{made!r} {settings!r} {describe(settings)}"
    assert [secret for secret in HIDDEN if secret in printed] == []


def test_a_url_from_a_file_shows_no_path(tmp_path):
    """Who keeps a URL as a secret means all of it; so does a heartbeat's."""
    (tmp_path / "url").write_text("https://discord.example/api/webhooks/1/t0ken")
    config = tmp_path / "fuseboard.toml"
    config.write_text(
        f'[heartbeat]\nurl = "https://hc.example/t0ken"\n[[receivers]]\nname = "d"\nkind = "alertmanager"\nurl_file = "{tmp_path}/url"\n'
    )
    made = alerting(load(config, {}, {}), {})

    assert made.receivers[0].shown_url == "https://discord.example/…"
    assert made.heartbeat.receiver.shown_url == "https://hc.example/…"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ('url_env = "NO_SUCH"', "url_env: the environment has no 'NO_SUCH'"),
        ('url_env = "EMPTY"', "or it is empty"),
        ('url_file = "/no/such/file"', "url_file: '/no/such/file' cannot be read: No such file"),
        ('url_file = "/"', "cannot be read"),
        ('url_file = "/dev/null"', "is empty or larger"),
        ('url_file = "/dev/zero"', "is empty or larger"),
        ('url_file = "/x"\nurl = "https://a/hunter2"', "give one of url, url_env and url_file"),
    ],
)
def test_a_secret_that_cannot_be_read_is_a_clear_error(tmp_path, fields, says):
    """It names receiver, setting and source."""
    config = tmp_path / "fuseboard.toml"
    config.write_text(f'[[receivers]]\nname = "s"\nkind = "slack"\n{fields}\n')
    with pytest.raises(Malformed) as wrong:
        alerting(load(config, {}, {}), {"EMPTY": " "})

    assert wrong.value.code == "bad_secret_source"
    assert says in wrong.value.message
    assert "hunter2" not in wrong.value.message


@pytest.mark.parametrize(
    "line",
    [
        'token = ["hunter2"]',
        'headers = "hunter2"',
        'url = ["hunter2"]',
        'passwort = "hunter2"',
        "to = 'hunter2'",
    ],
)
def test_a_setting_of_the_wrong_form_does_not_print_a_secret(tmp_path, line):
    """Pydantic quotes its input; ours leaves it out."""
    config = tmp_path / "fuseboard.toml"
    config.write_text(f'[[receivers]]\nname = "s"\n{line}\n')
    with pytest.raises(SettingsError) as wrong:
        load(config, {}, {})

    assert "receivers.0." in str(wrong.value)
    assert "hunter2" not in str(wrong.value)
