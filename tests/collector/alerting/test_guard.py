"""Where webhooks may go, and that the address judged is the address used."""

from __future__ import annotations

import pytest

from collector.alerting.guard import Egress, check_url
from collector.alerting.receivers import Post
from collector.alerting.webhooks import Sender
from collector.errors import Forbidden, Malformed, Unavailable


def resolving(*addresses):
    """Give a resolver that knows one answer."""
    return lambda host, port: addresses  # noqa: ARG005


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.1.1",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "64:ff9b:1::a9fe:a9fe",
        "::a9fe:a9fe",
        "::ffff:0:a9fe:a9fe",
        "2001:0:5db8:d822:0:0:5601:5601",
        "2001:db8::5efe:a9fe:a9fe",
        "2001:db8::200:5efe:a9fe:a9fe",
        "192.0.0.192",
        "255.255.255.255",
        "ff02::1",
        "::",
    ],
)
def test_metadata_and_link_local_are_refused_whatever_is_allowed(address):
    """No setting opens the cloud's metadata service, in any spelling of its address."""
    egress = Egress(("0.0.0.0/0", "::/0", "hooks.example.com"), resolving(address))

    with pytest.raises(Forbidden, match="never allowed") as refused:
        egress.admit("https://hooks.example.com/x", allow_private=True)
    assert refused.value.code == "egress_refused"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.7", "192.168.1.1", "::1", "fd12::1", "::ffff:10.0.0.7"]
)
def test_a_name_that_resolves_to_a_private_address_is_refused(address):
    """A listed name opens no private address; its network in the list or allow_private does."""
    url = "https://hooks.example.com/x"
    with pytest.raises(Forbidden, match="not a public address"):
        Egress(("hooks.example.com",), resolving(address)).admit(url, allow_private=False)
    with pytest.raises(Forbidden, match="not a public address"):
        Egress((), resolving(address)).admit(url, allow_private=False)

    networks = ("127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "::1", "fd12::/16")
    assert Egress(networks, resolving(address)).admit(url, allow_private=False).addresses == (address,)
    assert Egress((), resolving(address)).admit(url, allow_private=True).addresses == (address,)


def test_one_private_address_among_public_ones_refuses_the_host():
    """A mixed answer is what a rebinding attack looks like."""
    egress = Egress((), resolving("93.184.216.34", "127.0.0.1"))

    with pytest.raises(Forbidden, match=r"127\.0\.0\.1"):
        egress.admit("https://hooks.example.com/x", allow_private=False)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "１２７.０.０.１",
        "127。0。0。1",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "smtp"])
def test_every_spelling_of_loopback_is_loopback(scheme, host):
    """Decimal, hex, octal, short, full-width, IPv6: judged by the address the system makes of it, or no address at all."""
    with pytest.raises((Forbidden, Unavailable, Malformed)) as refused:
        Egress(()).admit(f"{scheme}://{host}/", allow_private=False)
    assert refused.value.code in ("egress_refused", "dns_failed", "bad_url")


@pytest.mark.parametrize(
    "host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]"]
)
def test_no_spelling_reaches_the_metadata_service(host):
    """Nor does allow_private open it."""
    with pytest.raises(Forbidden, match="never allowed"):
        Egress(()).admit(f"http://{host}/latest/meta-data", allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com@169.254.169.254/",
        "http://169.254.169.254\\@hooks.example.com/",
        "http://hooks.example.com#@169.254.169.254/",
        "http://user@hooks.example.com/",
        "http://:@hooks.example.com/",
        "smtp://me:you@mail.example.com",
    ],
)
def test_a_host_is_never_hidden_behind_a_user(url):
    """What stands before an @ is refused; what stands behind a # is no host."""
    try:
        host = check_url(url, ("http", "smtp")).hostname
    except Malformed:
        return
    assert host == "hooks.example.com"


@pytest.mark.parametrize(
    ("allow", "host", "admitted"),
    [
        ((), "anything.example.org", True),
        (("hooks.example.com",), "hooks.example.com", True),
        (("hooks.example.com",), "HOOKS.example.com.", True),
        (("hooks.example.com",), "evil-hooks.example.com", False),
        (("*.example.com",), "a.b.example.com", True),
        (("*.example.com",), "example.com", False),
        (("*.example.com",), "notexample.com", False),
        (("93.184.216.0/24",), "whatever.example.org", True),
        (("93.184.217.0/24",), "whatever.example.org", False),
    ],
)
def test_a_list_admits_what_it_names(allow, host, admitted):
    """An empty list admits any public address, a list only its names and networks."""
    egress = Egress(allow, resolving("93.184.216.34"))

    if admitted:
        assert egress.admit(f"https://{host}/x", allow_private=False).port == 443
    else:
        with pytest.raises(Forbidden, match="neither is in egress_allow"):
            egress.admit(f"https://{host}/x", allow_private=False)


def test_a_name_without_an_address_is_retryable():
    """DNS trouble is not a refusal."""
    with pytest.raises(Unavailable) as failed:
        Egress((), resolving()).admit("https://hooks.example.com/", allow_private=False)
    assert failed.value.code == "dns_failed"


def test_the_connection_goes_to_the_judged_address_with_the_name_in_host(receiving):
    """The name is resolved once; the request reaches the address of that answer."""
    asked = []

    def resolve(host, port):
        asked.append((host, port))
        return ("127.0.0.1",) if len(asked) == 1 else ("169.254.169.254",)

    url = f"http://hooks.example.com:{receiving.port}/in?token=1"
    (outcome,) = Sender(Egress((), resolve)).send([Post(url, {}, b"{}")], allow_private=True, timeout_s=60)

    assert outcome.status == 204
    assert outcome.address == "127.0.0.1"
    assert asked == [("hooks.example.com", receiving.port)]
    assert receiving.requests[0].headers["host"] == f"hooks.example.com:{receiving.port}"
    assert receiving.requests[0].path == "/in?token=1"


def test_the_next_address_is_tried_when_the_first_does_not_answer(receiving):
    """Localhost is ::1 and 127.0.0.1; a receiver on one of them is reached."""
    sender = Sender(Egress((), resolving("::1", "127.0.0.1")))

    post = Post(f"http://both:{receiving.port}/", {}, b"{}")
    (outcome,) = sender.send([post], allow_private=True, timeout_s=60)

    assert outcome.address == "127.0.0.1"
    assert len(receiving.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/x",
        "http://",
        "hooks.example.com",
        "http://h:0/",
        "http://h:99999/",
        "http://[::1/",
        "http://h/a b",
        "",
    ],
)
def test_a_url_that_is_none_is_named(url):
    """A wrong receiver URL is a settings error that quotes it."""
    with pytest.raises(Malformed) as wrong:
        check_url(url)
    assert wrong.value.code == "bad_url"
    assert repr(url) in wrong.value.message


def test_a_password_in_a_url_is_refused_and_not_repeated():
    """Credentials in a URL end up in logs; the error does not put them there."""
    with pytest.raises(Malformed) as wrong:
        check_url("https://user:hunter2@hooks.example.com/")
    assert "hunter2" not in wrong.value.message


@pytest.mark.parametrize("item", ["http://x", "10.0.0.300", "a b", "", "*.", "10.0.0.1/8"])
def test_a_wrong_allow_list_is_named(item):
    """An entry that is neither name nor network is quoted."""
    with pytest.raises(Malformed) as wrong:
        Egress((item,))
    assert repr(item) in wrong.value.message
