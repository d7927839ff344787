"""Signing in through an OpenID provider: who comes in, as what, and every way in which it must not work."""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from collector.access import Access
from collector.access.oidc.flow import Flow
from collector.access.oidc.provider import Provider
from collector.access.oidc.settings import client_of
from collector.access.passwords import Passwords
from collector.api import ApiParts
from collector.app.answering import authenticator
from collector.errors import Malformed
from collector.receive.authenticate import Keys
from collector.settings import OidcSettings, SettingsError, load
from collector.state import State
from dashboards.api import Api
from dashboards.app import create_app
from dashboards.forms import COOKIE
from tests.collector.access.oidc_provider import ANA, CLIENT, SECRET, OpenId, serving
from tests.collector.api.conftest import FixedAlerts, FixedPipeline, FixedSql, served

PUBLIC = "http://127.0.0.1:4318"
Signs = Callable[..., httpx.Response]


class Clock:
    """Seconds that pass when a test says so, on top of the real ones."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        """Now."""
        return time.time() + self.ahead_s


class Site:
    """A collector with a provider, and a browser's way through both."""

    def __init__(self, http: httpx.Client, access: Access, provider: OpenId, clock: Clock) -> None:
        self.http = http
        self.access = access
        self.provider = provider
        self.clock = clock

    def begin(self) -> dict[str, str]:
        """Begin: the address and the flow."""
        answer = self.http.post("/api/v1/session/oidc/begin")
        assert answer.status_code == 200, answer.text
        begun: dict[str, str] = answer.json()["data"][0]
        return begun

    def away(self, url: str) -> dict[str, str]:
        """Go to the provider; what its redirect brings back."""
        location = httpx.get(url, timeout=60).headers["location"]
        assert location.startswith(f"{PUBLIC}/sign-in/oidc/callback?")
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    def back(self, **content: str) -> httpx.Response:
        """Come back."""
        return self.http.post("/api/v1/session/oidc", json=content)

    def sign_in(self) -> httpx.Response:
        """The whole way."""
        begun = self.begin()
        return self.back(flow=begun["flow"], **self.away(begun["url"]))


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenId]:
    """One provider for all tests."""
    with serving() as running:
        yield running


@pytest.fixture
def site(provider: OpenId, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """``site(default_role="none", …)``: a collector with these settings; the provider as it should be."""
    provider.says, provider.wrong, provider.error = dict(ANA), {}, ""
    provider.userinfo, provider.document, provider.away, provider.keys = None, None, False, provider.keys[:1]
    ends: list[Callable[[], object]] = []

    def start(**told: Any) -> Site:
        clock = Clock()
        fields = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, **told}
        client = client_of(OidcSettings.model_validate(fields), PUBLIC, {})
        state = State(f"sqlite:///{tmp_path / 'state.db'}")
        flow = Flow(client, Provider(client, clock, clock), clock)
        access = Access(state, (), 1.0, Passwords(log2_n=10), flow)
        access.start()
        keys = Keys((), access.roster)
        parts = ApiParts(
            store=None, alerts=FixedAlerts(), pipeline=FixedPipeline(), sql=FixedSql(), access=access, authenticate=authenticator(keys)
        )  # fmt: skip
        running = served(parts)
        http = running.__enter__()
        ends.extend((state.close, access.stop, lambda: running.__exit__(None, None, None)))
        return Site(http, access, provider, clock)

    yield start
    for end in reversed(ends):
        end()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and slug of an error."""
    return answer.status_code, answer.json()["error"]["code"]


def test_somebody_comes_in_by_the_providers_word(site: Callable[..., Site]) -> None:
    """A session like any other: asking works with it, what they may is what their group gives, signing out ends it."""
    here = site(roles={"editor": ["sre"], "admin": ["boss"]})
    assert here.http.get("/api/v1/session").status_code == 401

    session = here.sign_in().json()["data"][0]
    headers = {"authorization": f"Bearer {session['token']}"}

    assert (session["name"], session["role"]) == ("ana@example.org", "editor")
    assert here.http.get("/api/v1/session", headers=headers).json()["data"][0]["kind"] == "person"
    assert here.http.delete("/api/v1/session", headers=headers).status_code == 200
    assert here.http.get("/api/v1/session", headers=headers).status_code == 401


def test_a_role_is_what_the_provider_says_now(site: Callable[..., Site]) -> None:
    """Another group at the next sign-in is another role; nobody has two."""
    here = site(roles={"editor": ["staff"], "admin": ["sre"]})
    assert here.sign_in().json()["data"][0]["role"] == "admin"
    here.provider.says["groups"] = ["staff"]

    assert here.sign_in().json()["data"][0]["role"] == "editor"
    assert [each["role"] for each in here.access.people.all()] == ["editor"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"nonce": "of another sign-in"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another client"}, "aud"),
        ({"aud": [CLIENT, "another"]}, "several clients"),
        ({"iss": "https://elsewhere.example"}, "iss"),
        ({"exp": 1_700_000_000}, "over"),
        ({"exp": None}, "exp"),
        ({"sub": None}, "sub"),
        ({"iat": 4_000_000_000}, "iat"),
        ({"kid": "nobody's"}, "trusted"),
    ],
)
def test_a_token_that_is_not_for_this_sign_in_opens_nothing(
    site: Callable[..., Site], wrong: dict[str, Any], says: str
) -> None:
    """401 with what is wrong about it; nobody is added."""
    here = site()
    here.provider.wrong = wrong

    answer = here.sign_in()

    assert code_of(answer) == (401, "oidc_wrong")
    assert says in answer.json()["error"]["message"]
    assert here.access.people.all() == []


@pytest.mark.parametrize("how", ["none", "hmac", "stranger", "nonsense", ""])
def test_only_the_providers_signature_counts(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Not none at all, not one by the public key as a secret, not another's under the same name."""
    here = site()
    real = here.provider.signed

    def forged(nonce: str) -> str:
        claims = jwt.decode(real(nonce), here.provider.keys[0]).claims
        if how == "hmac":
            text = (
                "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0." + real(nonce).split(".")[1]
            )  # {"alg":"HS256","kid":"k1"}
            made = hmac.digest(here.provider.keys[0].as_pem(private=False), text.encode(), "sha256")
            return f"{text}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"
        if how == "stranger":
            return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, RSAKey.generate_key(2048))
        if how == "none":
            return "eyJhbGciOiJub25lIn0." + real(nonce).split(".")[1] + "."
        return how

    monkeypatch.setattr(here.provider, "signed", forged)

    assert code_of(here.sign_in()) == (401, "oidc_wrong")


def test_the_secret_is_sent_as_the_provider_takes_it(site: Callable[..., Site]) -> None:
    """In the form, where Basic is not among its ways; a wrong one is said to be likely."""
    here = site()
    here.provider.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert here.sign_in().status_code == 200
    wrong = site(client_secret="another")

    answer = wrong.sign_in()

    assert code_of(answer) == (401, "oidc_wrong")
    assert "invalid_client" in answer.json()["error"]["message"]


def test_clocks_may_differ_a_little(site: Callable[..., Site]) -> None:
    """Within clock_skew_s; beyond it the message speaks of clocks."""
    here = site(clock_skew_s=60)
    here.clock.ahead_s = 350.0  # the token lasts 300 s
    assert here.sign_in().status_code == 200
    here.clock.ahead_s = 370.0

    assert "clock" in here.sign_in().json()["error"]["message"]


def test_a_state_is_used_once(site: Callable[..., Site]) -> None:
    """The same way back again is refused, also with a code that the provider would take."""
    here = site()
    begun = here.begin()
    first = here.away(begun["url"])
    assert here.back(flow=begun["flow"], **first).status_code == 200
    fresh = here.away(begun["url"])

    assert code_of(here.back(flow=begun["flow"], **first)) == (401, "oidc_state")
    assert code_of(here.back(flow=begun["flow"], **fresh)) == (401, "oidc_state")


def test_a_way_back_belongs_to_the_browser_that_left(site: Callable[..., Site]) -> None:
    """Another browser's flow, none, a made-up one, an old one: nothing is exchanged."""
    here = site()
    begun, other = here.begin(), here.begin()
    back = here.away(begun["url"])
    made_up = jwt.encode({"alg": "HS256"}, {"state": back["state"], "nonce": "n", "verifier": "v", "exp": 4_000_000_000}, OctKey.import_key(b"guessed" * 5))  # fmt: skip
    here.provider.asked.clear()

    for flow in (other["flow"], "", made_up, "x.y.z", begun["flow"][:-3]):
        assert code_of(here.back(flow=flow, **back)) == (401, "oidc_state")
    here.clock.ahead_s = 601.0
    assert code_of(here.back(flow=begun["flow"], **back)) == (401, "oidc_state")
    assert "/token" not in here.provider.asked


def test_a_code_of_somebody_else_is_worth_nothing(site: Callable[..., Site]) -> None:
    """PKCE: it was asked for with another verifier."""
    here = site()
    mine, theirs = here.begin(), here.begin()
    stolen = here.away(theirs["url"])["code"]

    answer = here.back(flow=mine["flow"], state=here.away(mine["url"])["state"], code=stolen)

    assert code_of(answer) == (401, "oidc_wrong")
    assert "no such code" in answer.json()["error"]["message"]


def test_new_keys_of_the_provider_are_read_at_once(site: Callable[..., Site]) -> None:
    """Discovery is asked once for many sign-ins; a key that is not known has it asked again, but not by every forger."""
    here = site()
    here.provider.asked.clear()
    for _ in range(3):
        assert here.sign_in().status_code == 200
    assert here.provider.asked.count("/jwks") == 1
    here.clock.ahead_s += 11
    here.provider.turn_keys()

    assert here.sign_in().status_code == 200
    assert here.provider.asked.count("/jwks") == 2
    here.provider.wrong = {"kid": "made up"}
    for _ in range(3):
        assert here.sign_in().status_code == 401
    assert here.provider.asked.count("/jwks") == 2


def test_what_was_read_is_read_again_after_an_hour_and_kept_where_that_fails(
    site: Callable[..., Site],
) -> None:
    """A provider whose discovery is away for a while does not end sign-ins that it still answers."""
    here = site()
    assert here.sign_in().status_code == 200
    here.provider.asked.clear()
    here.clock.ahead_s = 3601.0
    here.begin()
    assert "/jwks" in here.provider.asked
    here.clock.ahead_s = 7300.0
    here.provider.away = True

    assert here.http.post("/api/v1/session/oidc/begin").status_code == 200


def test_a_provider_that_is_down_is_said_to_be(site: Callable[..., Site]) -> None:
    """503 with what to do instead, before and after the way there; the next try works."""
    here = site()
    here.provider.away = True
    down = here.http.post("/api/v1/session/oidc/begin")
    here.provider.away = False
    here.clock.ahead_s += 11
    begun = here.begin()
    back = here.away(begun["url"])
    here.provider.away = True
    lost = here.back(flow=begun["flow"], **back)

    assert code_of(down) == (503, "oidc_provider_down")
    assert "password" in down.json()["error"]["message"]
    assert code_of(lost) == (503, "oidc_provider_down")
    here.provider.away = False
    assert here.sign_in().status_code == 200


@pytest.mark.parametrize(
    ("told", "says", "why"),
    [
        ({}, {"email_verified": False}, "not verified"),
        ({}, {"email": None}, "name_claim"),
        ({}, {"email": "<script>alert(1)</script>"}, "name_claim"),
        ({"name_claim": "nick"}, {"nick": ["a"]}, "name_claim"),
        ({"allowed_domains": ["fuse.example"]}, {}, "allowed_domains"),
        ({"allowed_domains": ["fuse.example"]}, {"email": "a@fuse.example.evil.org"}, "allowed_domains"),
        ({"allowed_groups": ["board"]}, {}, "allowed_groups"),
        ({"default_role": "none", "roles": {"viewer": ["x"]}}, {}, "default_role"),
        ({"allowed_groups": ["sre"]}, {"groups": "not sre-ish"}, "allowed_groups"),
    ],
)
def test_whom_the_settings_keep_out(
    site: Callable[..., Site], told: dict[str, Any], says: dict[str, Any], why: str
) -> None:
    """403 that names the setting; nobody is added."""
    here = site(**told)
    here.provider.says |= says

    answer = here.sign_in()

    assert code_of(answer) == (403, "oidc_refused")
    assert why in answer.json()["error"]["message"]
    assert here.access.people.all() == []


@pytest.mark.parametrize(
    ("told", "says", "role"),
    [
        ({}, {}, "viewer"),
        ({"allowed_domains": ["Example.ORG"]}, {}, "viewer"),
        ({"roles_claim": "realm_access.roles", "roles": {"admin": ["sre"]}}, {"realm_access": {"roles": ["sre"]}}, "admin"),
        ({"roles_claim": "https://x.example/roles", "roles": {"admin": ["sre"]}}, {"https://x.example/roles": ["sre"]}, "admin"),
        ({"roles": {"editor": ["sre"]}}, {"groups": "staff sre"}, "editor"),
        ({"roles": {"viewer": ["staff"], "admin": ["sre"]}}, {"groups": ["staff", "sre", 7, None]}, "admin"),
        ({"default_role": "editor"}, {"groups": {"odd": 1}}, "editor"),
    ],
)  # fmt: skip
def test_what_the_settings_make_of_claims(
    site: Callable[..., Site], told: dict[str, Any], says: dict[str, Any], role: str
) -> None:
    """Lists, texts, nested claims, names that are addresses; the strongest role holds."""
    here = site(**told)
    here.provider.says |= says

    assert here.sign_in().json()["data"][0]["role"] == role


def test_groups_may_come_from_userinfo(site: Callable[..., Site]) -> None:
    """Where the token has none; but never of somebody else."""
    here = site(roles={"admin": ["sre"]})
    del here.provider.says["groups"]
    here.provider.userinfo = {"sub": "7", "groups": ["sre"], "email": "another@example.org"}
    session = here.sign_in().json()["data"][0]
    here.provider.userinfo = {"sub": "8", "groups": ["sre"]}

    assert (session["name"], session["role"]) == ("ana@example.org", "admin")
    assert here.sign_in().json()["data"][0]["role"] == "viewer"


def test_a_name_belongs_to_whoever_had_it_first(site: Callable[..., Site]) -> None:
    """A person with a password, and another account of the provider, are not taken over; who is disabled stays out."""
    here = site()
    here.access.people.add("boss@example.org", "admin", "correct horse battery", "")
    here.provider.says["email"] = "boss@example.org"
    taken = here.sign_in()
    here.provider.says["email"] = "ana@example.org"
    assert here.sign_in().status_code == 200
    here.provider.says["sub"] = "8"
    another = here.sign_in()
    here.provider.says["sub"] = "7"
    here.access.people.change("ana@example.org", None, disabled=True, password=None)

    assert code_of(taken) == code_of(another) == (409, "name_taken")
    assert code_of(here.sign_in()) == (403, "oidc_refused")


def test_no_password_opens_what_a_provider_vouches_for(site: Callable[..., Site]) -> None:
    """Not an empty one, not what is kept in its place."""
    here = site()
    here.sign_in()

    for password in ("x", "oidc$" + "0" * 64):
        answer = here.http.post("/api/v1/session", json={"name": "ana@example.org", "password": password})
        assert code_of(answer) == (401, "sign_in_wrong")


def test_the_provider_may_refuse(site: Callable[..., Site]) -> None:
    """Its word is passed on."""
    here = site()
    here.provider.error = "access_denied"

    answer = here.sign_in()

    assert code_of(answer) == (403, "oidc_refused")
    assert "access_denied" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"flow": 1, "state": "x"}', b'{"flow": "x"}', b'{"flow": "x", "state": "' + b"s" * 5000 + b'"}'],
)  # fmt: skip
def test_what_is_no_way_back_is_told(site: Callable[..., Site], body: bytes) -> None:
    """400; nothing is asked of the provider."""
    answer = site().http.post(
        "/api/v1/session/oidc", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 400


def test_the_pages_lead_there_and_back(site: Callable[..., Site]) -> None:
    """A button, the provider, the page that was asked for, a cookie; the flow's own cookie is gone, and so is the way back."""
    here = site()

    async def walk() -> None:
        api = Api(httpx.AsyncClient(base_url=str(here.http.base_url), timeout=60))
        transport = httpx.ASGITransport(app=create_app(api))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC, timeout=60) as browser:
            door = await browser.get("/keys?start=-6h")
            assert door.status_code == 401
            (button,) = re.findall(r'href="(/sign-in/oidc[^"]*)"', door.text)
            left = await browser.get(button.replace("&amp;", "&"))
            assert "httponly" in left.headers["set-cookie"].lower()
            async with httpx.AsyncClient(timeout=60) as there:
                location = (await there.get(left.headers["location"])).headers["location"]
            back = await browser.get(location)
            assert (back.status_code, back.headers["location"]) == (303, "/keys?start=-6h")
            assert {each.name for each in browser.cookies.jar} == {COOKIE}
            assert (await browser.get("/sign-in")).status_code == 200
            again = await browser.get(location)
            assert again.status_code == 401
            assert "begin again" in again.text
        await api.client.aclose()

    asyncio.run(walk())


def test_without_a_provider_nothing_of_it_is_there(tmp_path: Path) -> None:
    """No button; the addresses say that it is not set."""
    state = State(f"sqlite:///{tmp_path / 'state.db'}")
    access = Access(state, (), 1.0, Passwords(log2_n=10))
    parts = ApiParts(
        store=None, alerts=FixedAlerts(), pipeline=FixedPipeline(), sql=FixedSql(), access=access
    )
    with served(parts) as http:
        offered = http.get("/api/v1/session/oidc").json()["data"]
        begun = http.post("/api/v1/session/oidc/begin")
    state.close()

    assert offered == []
    assert code_of(begun) == (404, "oidc_off")


@pytest.mark.parametrize(
    ("fields", "public", "says"),
    [
        ({}, None, "public_url"),
        ({"issuer": "http://idp.example"}, PUBLIC, "https"),
        ({"issuer": "idp.example"}, PUBLIC, "no address"),
        ({"client_secret": None}, PUBLIC, "give one of"),
        ({"client_secret_env": "X"}, PUBLIC, "give one of"),
        ({"client_secret": None, "client_secret_env": "NOT_THERE"}, PUBLIC, "NOT_THERE"),
        ({"client_secret": None, "client_secret_file": "/nowhere/secret"}, PUBLIC, "cannot be read"),
    ],
)
def test_settings_that_cannot_work_are_told_at_the_start(
    fields: dict[str, Any], public: str | None, says: str
) -> None:
    """Which one, why, and never the secret."""
    told = OidcSettings.model_validate(
        {"issuer": "https://idp.example", "client_id": "c", "client_secret": SECRET, **fields}
    )

    with pytest.raises(Malformed, match=says) as error:
        client_of(told, public, {})
    assert SECRET not in error.value.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"issuer": "https://x", "client_id": "c", "client_secret": "hush", "scopes": ["email"]}', "openid"),
        ('{"issuer": "https://x", "client_secret": "hush"}', "oidc.client_id"),
        ('{"issuer": "https://x", "client_id": "c", "roles": {"boss": ["x"]}}', "oidc.roles"),
        ('{"issuer": "https://x", "client_id": "c", "client_secret": ["hush"]}', "oidc.client_secret"),
        ("{", "not JSON"),
    ],
)
def test_wrong_settings_name_the_setting(text: str, says: str) -> None:
    """From the environment, as JSON."""
    with pytest.raises(SettingsError, match=says) as error:
        load(None, {}, {"FUSEBOARD_OIDC": text})
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (["x"], "JSON object"),
        ({"issuer": "https://another.example"}, "to the letter"),
        ({"authorization_endpoint": None}, "authorization_endpoint"),
        ({"jwks_uri": 7}, "jwks_uri"),
        ({"token_endpoint": "http://far.example/token"}, "unencrypted"),
    ],
)
def test_a_discovery_that_is_none_is_told(site: Callable[..., Site], document: Any, says: str) -> None:
    """What it lacks; never a crash, and never a secret sent where anybody may read it."""
    here = site()
    here.provider.document = document

    answer = here.http.post("/api/v1/session/oidc/begin")

    assert code_of(answer) == (503, "oidc_provider_down")
    assert says in answer.json()["error"]["message"]
