"""Settings of alerting: wrong ones are named, secrets are not."""

from __future__ import annotations

import pytest

from collector.alerting import AlertingSettings, Receiver
from collector.errors import Malformed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
GOOD = {"name": "pager", "url": "https://hooks.example.com/x", "secret": SECRET}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "a b"}, "name = 'a b'"),
        ({"url": "gopher://x"}, "url = 'gopher://x'"),
        ({"kind": "telex"}, "kind = 'telex': known: webhook, alertmanager"),
        ({"types": ("alert.fired",)}, "types = 'alert.fired': known: alert.firing"),
        ({"types": ()}, "name at least one"),
        ({"timeout_s": 0}, "timeout_s = 0"),
        ({"secret": "hunter2hunter2"}, "starts with 'whsec_'"),
        ({"secret": "whsec_???"}, "comes base64"),
        ({"secret": "whsec_aHVudGVyMg=="}, "holds 7 bytes"),
    ],
)
def test_a_wrong_receiver_setting_is_named(change, says):
    """The message names the setting and the value, never the secret."""
    with pytest.raises(Malformed) as wrong:
        Receiver(**{**GOOD, **change})
    assert says in wrong.value.message
    assert "hunter2" not in wrong.value.message
    assert "aHVudGVyMg" not in wrong.value.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"interval_s": 0}, "interval_s = 0"),
        ({"public_url": "fuse.example"}, "public_url = 'fuse.example'"),
        ({"history_days": 1}, "history_days = 1"),
        ({"egress_allow": ("http://x",)}, "egress_allow entry 'http://x'"),
        ({"receivers": (Receiver(**GOOD), Receiver(**GOOD))}, "receivers = 'pager'"),
    ],
)
def test_a_wrong_alerting_setting_is_named(change, says):
    """The message names the setting and the value."""
    with pytest.raises(Malformed) as wrong:
        AlertingSettings(**change)
    assert says in wrong.value.message


def test_a_secret_is_in_no_repr():
    """Settings may be printed."""
    assert SECRET not in repr(AlertingSettings(receivers=(Receiver(**GOOD),)))
