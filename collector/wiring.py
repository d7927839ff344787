"""
Settings -> what each part is given: the only place that knows both.

Pure but for the names of files; ``app/`` calls these where it builds a part.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import SecretStr

from collector.access import Access
from collector.alerting.evaluation.settings import GroupSettings
from collector.alerting.heartbeat_settings import HeartbeatSettings as Heartbeat
from collector.alerting.incidents.step import IncidentSettings
from collector.alerting.receivers.secrets import SECRETS, read_secret
from collector.alerting.routing.route import Tree
from collector.alerting.routing.tree import build_inhibitions, build_tree
from collector.alerting.settings import AlertingSettings, Receiver
from collector.errors import Malformed
from collector.load.retention import LONGEST_DAYS, Retention, Rule
from collector.read.own import OWN_SERVICE
from collector.receive.authenticate import Issued, Key, Keys
from collector.receive.decompress import Limits
from collector.receive.protocol import Protocol
from collector.settings import HeartbeatSettings, ReceiverSettings, Settings
from collector.state import State
from collector.store.limits import QueryLimits
from collector.store.storage import Storage
from collector.store.target import Target

if TYPE_CHECKING:  # needs the extra 'oidc'
    from collector.access.oidc.flow import Flow


def server_target(settings: Settings) -> Target | None:
    """Return where the ClickHouse server of *settings* listens; ``None`` = the embedded engine."""
    if settings.clickhouse is None:
        return None
    ca_file = settings.clickhouse_ca_file
    url = settings.clickhouse.get_secret_value()
    return Target(
        url,
        shared_disk=False,
        ca_file=str(ca_file) if ca_file else None,
        cluster=settings.cluster,
        storage=_storage(settings),
    )


def _storage(settings: Settings) -> Storage | None:
    if settings.storage_policy is None:
        return None
    return Storage(settings.storage_policy, settings.move_after_days, settings.move_to)


def retention(settings: Settings) -> Retention:
    """Give how long what is kept."""
    rules = tuple(
        Rule(min(rule.days, LONGEST_DAYS), rule.signal, rule.service, rule.env) for rule in settings.retention
    )
    return Retention(min(settings.retention_days, LONGEST_DAYS), rules)


def quiet_s(settings: Settings) -> float:
    """Give how long records may wait for a reader: behind a server of somebody else's there may be readers that we do not see."""
    return settings.quiet_gather_s if settings.clickhouse is None else 0.0


def quiet_most_s(protocols: Collection[Protocol]) -> dict[str, float]:
    """
    Give, by group, the longest that records may wait for a reader.

    Jobs look at spans a minute after they came: what waits for a minute has what is derived from it a quarter of a minute late at the most, and two seconds on
    average. Samples of breakers do not wait (collector/receive/prepare.py); others are asked for by the default rules once a minute, so it is one load for both.
    """
    told = {protocol.group: protocol.quiet_s for protocol in protocols}
    derived = {protocol.group: 60.0 for protocol in protocols if protocol.signal in {"metrics", "traces"}}
    return derived | {group: seconds for group, seconds in told.items() if seconds is not None}


def alerting(settings: Settings, environ: Mapping[str, str] = os.environ) -> AlertingSettings:
    """
    Give rule files, receivers, and where pages are.

    Raises:
        Malformed: A receiver is wrong, or a file or variable with its secret is missing.
    """
    receivers = tuple(_receiver(receiver, environ) for receiver in settings.receivers)
    names = [receiver.name for receiver in receivers]
    routes = build_tree([route.model_dump(by_alias=True) for route in settings.route], names)
    return AlertingSettings(
        rule_files=settings.rule_files,
        default_rules=settings.default_rules,
        receivers=receivers,
        interval_s=settings.evaluation_interval_s,
        public_url=settings.public_url or f"http://{settings.host}:{settings.port}",
        egress_allow=settings.egress_allow,
        heartbeat=_heartbeat(settings.heartbeat, receivers, environ),
        routes=routes,
        inhibit=build_inhibitions([rule.model_dump() for rule in settings.inhibit]),
        groups=GroupSettings(
            interval_s=settings.rule_interval_s,
            offset_s=settings.rule_offset_s,
            at_once=settings.rule_queries,
            silence_s=settings.no_data_ends_s,
            external_labels=settings.external_labels,
            external_url=settings.public_url or f"http://{settings.host}:{settings.port}",
        ),
        topology_inhibition=_with_routes(settings.topology_inhibition, routes),
        incidents=IncidentSettings(settings.incident_severities, settings.incident_reopen_s),
        flap_damping=_with_routes(settings.flap_damping, routes),
    )


def _heartbeat(
    told: HeartbeatSettings | None, receivers: Sequence[Receiver], environ: Mapping[str, str]
) -> Heartbeat | None:
    if told is None:
        return None
    url = read_secret("heartbeat", "url", _opened(told.url), told.url_env, told.url_file, environ)
    if bool(url) == bool(told.receiver):
        raise Malformed(
            "bad_setting", "heartbeat: give the name of a receiver or a url, one of them", "heartbeat"
        )
    named = {receiver.name: receiver for receiver in receivers}
    if url and "heartbeat" in named:
        raise Malformed(
            "bad_setting", "receivers: with heartbeat.url the name 'heartbeat' is taken", "receivers"
        )
    if url:
        own = Receiver(
            "heartbeat", url, kind="alertmanager", allow_private=told.allow_private, secret_path=True
        )
        return Heartbeat(own, told.interval_s)
    if told.receiver not in named:
        known = ", ".join(named) or "none"
        raise Malformed(
            "bad_setting",
            f"heartbeat.receiver = {told.receiver!r}: no such receiver; known: {known}",
            "heartbeat.receiver",
        )
    return Heartbeat(named[told.receiver], told.interval_s)


def _receiver(told: ReceiverSettings, environ: Mapping[str, str]) -> Receiver:
    secrets = {
        name: read_secret(
            told.name,
            name,
            _opened(getattr(told, name)),
            getattr(told, f"{name}_env"),
            getattr(told, f"{name}_file"),
            environ,
        )
        for name in SECRETS
    }
    return Receiver(
        name=told.name,
        kind=told.kind,
        types=told.types,
        allow_private=told.allow_private,
        timeout_s=told.timeout_s,
        rate_per_minute=told.rate_per_minute,
        username=told.username,
        headers={name: value.get_secret_value() for name, value in told.headers.items()},
        body=told.body,
        content_type=told.content_type,
        sender=told.sender,
        to=told.to,
        starttls=told.starttls,
        secret_path=bool(told.url_env or told.url_file) and told.kind != "email",
        **secrets,
    )


def _opened(secret: SecretStr | tuple[SecretStr, ...] | None) -> str:
    """Give a secret's text; several are separated by a space."""
    if secret is None:
        return ""
    several = secret if isinstance(secret, tuple) else (secret,)
    return " ".join(one.get_secret_value() for one in several)


def _with_routes(wanted: bool | None, routes: Tree) -> bool:
    return bool(routes) if wanted is None else wanted


def static_keys(settings: Settings) -> list[Key]:
    """Give the keys of the settings."""
    simple = {"ingest": settings.ingest_key, "read": settings.read_key, "admin": settings.admin_key}
    keys = [
        Key(role, secret.get_secret_value(), role) for role, secret in simple.items() if secret is not None
    ]
    return keys + [
        Key(k.name, k.secret.get_secret_value(), k.role, k.services, k.envs) for k in settings.keys
    ]


def access(settings: Settings, state: State) -> Access:
    """
    Give the part that knows who may come in.

    Raises:
        Malformed: ``bad_setting``: ``[oidc]`` cannot be used, or its extra is not installed.
    """
    told, through = settings.oidc, flow(settings)
    makes_admins = told is not None and (told.default_role == "admin" or bool(told.roles.get("admin")))
    return Access(
        state,
        static_keys(settings),
        settings.session_h,
        flow=through,
        provider_makes_admins=makes_admins,
        trusted_proxies=settings.trusted_proxies,
    )


def flow(settings: Settings) -> Flow | None:
    """
    Give the sign-in through a provider; None where none is set. The provider is not asked yet.

    Raises:
        Malformed: ``bad_setting``: ``[oidc]`` cannot be used, or its extra is not installed.
    """
    if settings.oidc is None:
        return None
    try:
        from collector.access.oidc.flow import Flow
        from collector.access.oidc.provider import Provider
        from collector.access.oidc.settings import client_of
    except ImportError as error:
        text = "oidc: needs the extra 'oidc' (pip install 'fuseboard[oidc]')"
        raise Malformed("bad_setting", text, "oidc") from error
    client = client_of(settings.oidc, settings.public_url, os.environ)
    return Flow(client, Provider(client))


def keys(settings: Settings, issued: Issued, own_secret: str) -> Keys:
    """Give every key: those of the settings, those made through the API, and our own for the canary and for recording rules, made anew at each start."""
    own = (Key("canary", own_secret, services=(OWN_SERVICE,)), Key("recording", recording_secret(own_secret)))
    return Keys(static_keys(settings), issued, own)


def recording_secret(own_secret: str) -> str:
    """Give the key of recording rules, whose samples are of any service."""
    return hashlib.sha256(b"recording" + own_secret.encode()).hexdigest()


def body_limits(settings: Settings) -> Limits:
    """Give what a request's body may be."""
    return Limits(settings.body_bytes, settings.decoded_bytes, settings.ratio)


def query_limits(settings: Settings) -> QueryLimits:
    """Give what one question may take of ClickHouse."""
    return QueryLimits(
        settings.query_timeout_s,
        settings.query_memory_bytes,
        settings.query_result_rows,
        settings.query_result_bytes,
        settings.query_read_rows,
        settings.query_read_bytes,
    )


def rule_limits(settings: Settings) -> QueryLimits:
    """Give what one question of a rule may take: others wait behind it, and it comes again."""
    return replace(query_limits(settings), time_s=min(settings.query_timeout_s, 10.0))


def sql_limits(settings: Settings) -> QueryLimits:
    """Give what one with a statement of a person may take."""
    return QueryLimits(
        settings.query_timeout_s,
        settings.sql_memory_bytes,
        settings.sql_result_rows,
        settings.sql_result_bytes,
        settings.sql_read_rows,
        settings.sql_read_bytes,
        prefix="sql",
    )
