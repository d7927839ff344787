"""
The collector's settings: ``fuseboard.toml``, overridden by ``FUSEBOARD_<NAME>``, overridden by options.

Frozen, built once, passed in. Each field has its help and unit here, and ``fuseboard check`` prints them all with secrets masked.
A wrong or unknown setting is a `SettingsError` that names it and quotes the value; the program exits with 2.
"""

from __future__ import annotations

import ipaddress
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

ENV_PREFIX = "FUSEBOARD_"
# Read by the program itself or by other programs of ours, not settings of the collector.
_NOT_SETTINGS = (
    "FUSEBOARD_AGENT_",
    "FUSEBOARD_DASHBOARDS_",
    "FUSEBOARD_ENGINE_",
    "FUSEBOARD_DEMO_",
    "FUSEBOARD_TEST_",
    "FUSEBOARD_CONFIG",
)
# The same, whole names: where the terminal's commands ask, and with which key.
_OF_THE_TERMINAL = frozenset({"FUSEBOARD_URL", "FUSEBOARD_KEY"})

_RETENTION_CLASSES = 4


# Of a receiver, whose other fields may be secrets or hold one.
_SHOWN = (
    ".name",
    ".kind",
    ".types",
    ".timeout_s",
    ".rate_per_minute",
    ".allow_private",
    ".starttls",
    ".interval_s",
    ".receiver",
)


class SettingsError(Exception):
    """A setting is wrong; the text is for the person who wrote it."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KeySettings(_Frozen):
    """``[[keys]]``: one static key."""

    name: str = Field(min_length=1, description="Shown in place of the secret.")
    secret: SecretStr = Field(min_length=1, description="What the client sends as 'Authorization: Bearer …'.")
    role: Literal["ingest", "read", "editor", "admin"] = Field(
        "ingest",
        description="ingest writes; read asks; editor asks and keeps views, dashboards, silences; admin does all and manages.",
    )
    services: tuple[str, ...] = Field((), description="Services it may write; empty = any.")
    envs: tuple[str, ...] = Field((), description="Environments it may write; empty = any.")


class OidcSettings(_Frozen):
    """``[oidc]``: people sign in through an OpenID provider (docs/access.md#signing-in-through-a-provider); needs the extra 'oidc' and public_url."""

    issuer: str = Field(description="The provider, as its discovery document calls itself: https://….")
    client_id: str = Field(min_length=1, description="How the provider knows Fuseboard.")
    client_secret: SecretStr | None = Field(None, min_length=1, description="Of client_id.")
    client_secret_env: str = Field("", description="Name of the environment variable that holds it.")
    client_secret_file: str = Field("", description="Path of the file that holds it.")
    label: str = Field(
        "Sign in with your organisation",
        min_length=1,
        max_length=60,
        description="What the button says on the sign-in page.",
    )
    scopes: tuple[str, ...] = Field(
        ("openid", "profile", "email"), description="What is asked for; 'openid' has to be among it."
    )
    name_claim: str = Field(
        "email",
        min_length=1,
        description="The claim that is somebody's name here; an email has to be verified.",
    )
    roles_claim: str = Field(
        "groups",
        min_length=1,
        description="The claim that roles are read from; dots lead into nested ones (realm_access.roles).",
    )
    roles: dict[Literal["viewer", "editor", "admin"], tuple[str, ...]] = Field(
        {}, description="For a role, the values of roles_claim that give it; the strongest holds."
    )
    default_role: Literal["none", "viewer", "editor", "admin"] = Field(
        "viewer", description="Of those whom 'roles' gives none; 'none' keeps them out."
    )
    allowed_domains: tuple[str, ...] = Field(
        (), description="Domains of verified email addresses that may come in; empty = any."
    )
    allowed_groups: tuple[str, ...] = Field(
        (), description="Values of roles_claim one of which somebody has to have; empty = none needed."
    )
    # What machines without NTP drift in a few weeks.
    clock_skew_s: float = Field(
        60.0,
        ge=0,
        le=600,
        description="Seconds by which the provider's clock may differ from this machine's.",
    )

    @model_validator(mode="after")
    def _asks_for_openid(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("scopes: 'openid' has to be among them, or the provider sends no ID token")
        return self


class ReceiverSettings(_Frozen):
    """``[[receivers]]``: where alerts go. Every secret may come from a file or the environment; docs/receivers.md says which kind takes what."""

    name: str = Field(description="Letters, digits, '_', '.', '-'; unique.")
    kind: Literal["webhook", "alertmanager", "slack", "msteams", "pagerduty", "opsgenie", "email"] = Field(
        "webhook", description="What it understands; webhook is Standard Webhooks."
    )
    types: tuple[str, ...] = Field(("alert.firing", "alert.resolved"), description="Event types it gets.")
    allow_private: bool = Field(default=False, description="Its address may be loopback or private.")
    timeout_s: float = Field(10.0, description="Seconds for a whole attempt.")
    rate_per_minute: int = Field(
        0, description="Most attempts in any minute, what is more waits; 0 = as many as there are."
    )
    url: SecretStr | None = Field(
        None,
        description="Where to: http or https; of email smtp://host:587 or smtps://host:465; pagerduty and opsgenie have one.",
    )
    url_env: str = Field("", description="Name of the environment variable that holds 'url'.")
    url_file: str = Field("", description="Path of the file that holds 'url'.")
    secret: SecretStr | tuple[SecretStr, ...] | None = Field(
        None,
        description="'whsec_' and 24 to 64 random bytes in base64; signs every delivery of webhook and alertmanager; several sign side by side.",
    )
    secret_env: str = Field("", description="Name of the environment variable that holds 'secret'.")
    secret_file: str = Field("", description="Path of the file that holds 'secret'.")
    token: SecretStr | None = Field(
        None, description="Sent as 'Authorization: Bearer …' by webhook and alertmanager."
    )
    token_env: str = Field("", description="Name of the environment variable that holds 'token'.")
    token_file: str = Field("", description="Path of the file that holds 'token'.")
    password: SecretStr | None = Field(
        None, description="Of username, for Basic authorization or the mail server."
    )
    password_env: str = Field("", description="Name of the environment variable that holds 'password'.")
    password_file: str = Field("", description="Path of the file that holds 'password'.")
    routing_key: SecretStr | None = Field(
        None, description="PagerDuty: the key of an Events API v2 integration."
    )
    routing_key_env: str = Field("", description="Name of the environment variable that holds 'routing_key'.")
    routing_key_file: str = Field("", description="Path of the file that holds 'routing_key'.")
    api_key: SecretStr | None = Field(None, description="Opsgenie: the key of an API integration.")
    api_key_env: str = Field("", description="Name of the environment variable that holds 'api_key'.")
    api_key_file: str = Field("", description="Path of the file that holds 'api_key'.")
    username: str = Field("", description="For Basic authorization or the mail server.")
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="Further request headers of webhook and alertmanager."
    )
    body: str = Field("", description="Jinja template of a webhook's body; empty = the event as it is.")
    content_type: str = Field("application/json", description="Of what 'body' makes.")
    sender: str = Field("", description="email: the address mails come from.")
    to: tuple[str, ...] = Field((), description="email: the addresses they go to.")
    starttls: bool = Field(default=True, description="email: smtp:// asks for TLS and ends without it.")


class RouteSettings(BaseModel):
    """``[[route]]``: who is told of which alerts, grouped how; what is unset is the parent's."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    match: str = Field(
        "", description='Matchers like \'severity="page", service=~"pay.*"\'; empty = every alert.'
    )
    matchers: tuple[str, ...] = Field((), description="More of them, as a list.")
    receiver: str = Field(
        "",
        description="Name of a receiver, or 'catalogue': the one its service's entry in the catalogue names.",
    )
    receivers: tuple[str, ...] = Field((), description="Several.")
    go_on: bool = Field(
        default=False, alias="continue", description="Whether routes after this one are tried too."
    )
    group_by: tuple[str, ...] | None = Field(
        None, description="Labels that alerts of one group share; '...' = all, each alert alone."
    )
    group_wait: str | float | None = Field(
        None,
        description="How long a new group waits for others to join; seconds, or like '30s' (the default).",
    )
    group_interval: str | float | None = Field(
        None, description="Least time between a notification and the next with something new; default 5m."
    )
    repeat_interval: str | float | None = Field(
        None, description="Time after which what still fires is told again; default 4h."
    )
    mute: tuple[dict[str, Any], ...] = Field(
        (),
        description="Windows in which nobody is told: {weekdays, start, end, timezone} or {rrule, first, duration, timezone}.",
    )
    routes: tuple[RouteSettings, ...] = Field(
        (), description="Routes below it: the first that fits takes the alert."
    )


class InhibitSettings(_Frozen):
    """``[[inhibit]]``: alerts that nobody is told of while others fire."""

    source: str = Field(description="Matchers of the alerts that make others needless.")
    target: str = Field(description="Matchers of those others.")
    equal: tuple[str, ...] = Field((), description="Labels in which both agree.")


class HeartbeatSettings(_Frozen):
    """``[heartbeat]``: a sign of life of the alerting, for a dead-man's switch elsewhere."""

    receiver: str = Field("", description="Name of the receiver it goes to; or give a URL of its own.")
    url: SecretStr | None = Field(
        None, description="Where it is posted, in Alertmanager's form as an alert 'Watchdog'."
    )
    url_env: str = Field("", description="Name of the environment variable that holds the URL.")
    url_file: str = Field("", description="Path of the file that holds the URL.")
    interval_s: float = Field(60.0, description="Seconds between beats, 5 to 86400.")
    allow_private: bool = Field(default=False, description="The URL's address may be loopback or private.")


class RetentionSettings(_Frozen):
    """``[[retention]]``: how long some rows are kept; the first that fits a row wins."""

    days: int = Field(
        ge=1, le=65535, description="Days that they are kept, and that their own times may lie back."
    )
    signal: Literal["", "logs", "traces", "metrics", "breakers"] = Field(
        "", description="Kind of the rows; empty = any."
    )
    service: str = Field("", description="Service of the rows; empty = any.")
    env: str = Field("", description="Environment of the rows; empty = any.")


class Settings(_Frozen):
    """Everything ``fuseboard serve`` is told."""

    data_dir: Path = Field(Path(".fuseboard"), description="Directory of journal, database and state.")
    host: str = Field("127.0.0.1", description="Address to listen on; any other than loopback requires keys.")
    port: int = Field(4318, ge=0, le=65535, description="Port of everything over HTTP; 0 = any free one.")
    grpc_port: int = Field(
        4317, ge=0, le=65535, description="Port of OTLP over gRPC, with the extra 'grpc'; 0 = off."
    )
    syslog_port: int = Field(0, ge=0, le=65535, description="Port of syslog over TCP and UDP; 0 = off.")
    syslog_key: SecretStr | None = Field(
        None,
        min_length=1,
        description="The key under which syslog is written, which cannot send one; required where keys are.",
    )
    fluent_port: int = Field(
        0, ge=0, le=65535, description="Port of Fluent's forward protocol, TCP; 0 = off."
    )
    fluent_key: SecretStr | None = Field(
        None,
        min_length=1,
        description="The key under which forward senders write, who cannot send one; required where keys are.",
    )
    fluent_shared_key: SecretStr | None = Field(
        None, min_length=1, description="shared_key that forward senders have to know; unset = no handshake."
    )
    clickhouse: SecretStr | None = Field(
        None,
        description="http://user:password@host:8123/database of a ClickHouse server; unset = the embedded engine.",
    )
    clickhouse_ca_file: Path | None = Field(
        None,
        description="Certificates of the authorities that an https server's is checked against; unset = the system's.",
    )
    cluster: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$",
        description="Name of the ClickHouse cluster behind 'clickhouse': Replicated and Distributed tables, ON CLUSTER; unset = one server.",
    )
    storage_policy: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="Storage policy of the ClickHouse server that tables are made under; unset = the server's default.",
    )
    move_after_days: int | None = Field(
        None,
        ge=1,
        le=3650,
        description="Days after which rows move within the storage policy, to move_to; unset = they stay.",
    )
    move_to: str = Field(
        "volume:cold",
        pattern=r"^(volume|disk):[A-Za-z0-9_.-]+$",
        description="Where in the storage policy rows move: volume:<name> or disk:<name>.",
    )
    state: SecretStr | None = Field(
        None,
        description="postgresql://user:password@host/database, shared by several collectors: one of them evaluates alerts; unset = a file.",
    )
    ingest_key: SecretStr | None = Field(None, min_length=1, description="A key that may write everything.")
    read_key: SecretStr | None = Field(None, min_length=1, description="A key that may read everything.")
    admin_key: SecretStr | None = Field(None, min_length=1, description="A key that may do everything.")
    keys: tuple[KeySettings, ...] = Field((), description="More keys, bound to services and environments.")
    # A working week: longer than a shift, shorter than a lost laptop is noticed.
    session_h: float = Field(168.0, gt=0, le=8760, description="Hours that somebody stays signed in.")
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Addresses and networks of proxies whose X-Forwarded-For is believed where sign-ins are counted; this machine's always is.",
    )
    oidc: OidcSettings | None = Field(
        None,
        description="The OpenID provider through which people sign in; then asking always needs a session or a key.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Host names this collector goes by besides loopback's; '*' = any."
    )
    retention_days: int = Field(
        30,
        ge=1,
        le=65535,
        description="Days that records are kept, and that their own times may lie back; more than 25000 count as 25000.",
    )
    retention: tuple[RetentionSettings, ...] = Field(
        (),
        description="Other days for some signals, services and environments; at most four different numbers with retention_days.",
    )
    disk_max_bytes: int | None = Field(
        None,
        ge=64 << 20,
        description="Bytes of the embedded engine's tables; beyond it the oldest partitions are dropped, and it is said which; unset = no bound.",
    )
    disk_free_bytes: int | None = Field(
        None,
        ge=0,
        description="Bytes of the disk kept free, by dropping the oldest partitions before today's; unset = 5 % of it, 2 to 20 GiB.",
    )
    journal_max_bytes: int = Field(
        4 << 30, ge=16 << 20, description="Bytes of unloaded journal; beyond it requests get 429."
    )
    quiet_gather_s: float = Field(
        300.0,
        ge=0,
        le=300,
        description="Seconds that few records may wait to be loaded while nobody reads; a reader has them at once. 0 = never; embedded only.",
    )
    body_bytes: int = Field(32 << 20, ge=1024, description="Bytes of a request body as sent.")
    decoded_bytes: int = Field(128 << 20, ge=1024, description="Bytes of a request body decompressed.")
    ratio: int = Field(200, ge=2, description="Decompressed over sent, for bodies over 4 MiB.")
    catalogue_file: Path | None = Field(
        None, description="Path of catalogue.yaml: owners, runbooks, links by service."
    )
    rule_files: tuple[str, ...] = Field((), description="Paths or globs of alert rule files.")
    receivers: tuple[ReceiverSettings, ...] = Field((), description="Where alerts go.")
    heartbeat: HeartbeatSettings | None = Field(
        None, description="A sign of life while alerts are evaluated, for a dead-man's switch elsewhere."
    )
    route: tuple[RouteSettings, ...] = Field(
        (), description="Who is told of which alerts, grouped how; none = every receiver, each alert at once."
    )
    inhibit: tuple[InhibitSettings, ...] = Field(
        (), description="Which alerts nobody is told of while which others fire."
    )
    topology_inhibition: bool | None = Field(
        None,
        description="Tell nobody of callers' alerts while the alert of what they depend on is told; unset = with routes.",
    )
    incident_severities: tuple[str, ...] = Field(
        ("page", "critical"), description="Values of the label 'severity' whose alerts open incidents."
    )
    incident_reopen_s: float = Field(
        1800.0,
        ge=0,
        le=604800,
        description="Seconds after its end within which another page of the same root opens an incident again.",
    )
    flap_damping: bool | None = Field(
        None, description="Tell once of an alert that comes and goes; unset = with routes."
    )

    default_rules: bool = Field(
        default=True, description="Whether Fuseboard's own rules are there beside those of rule_files."
    )
    evaluation_interval_s: float = Field(
        1.0, gt=0, le=300, description="Seconds between looks at the breakers' states."
    )
    rule_interval_s: float = Field(
        15.0,
        ge=1,
        le=86_400,
        description="Seconds between evaluations of a group of rules that does not say.",
    )
    # A line is searchable two seconds after its 2xx, and agents and scrapes take some themselves.
    rule_offset_s: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="Seconds before its evaluation that what a rule sees ends, of a group without query_offset: data comes late.",
    )
    rule_queries: int = Field(4, ge=1, le=64, description="Questions of rules that run at once.")
    no_data_ends_s: float = Field(
        604_800.0,
        ge=0,
        description="Seconds without any word of what an alert is about after which it ends; 0 = never.",
    )
    external_labels: dict[str, str] = Field(
        {}, description="$externalLabels of templates in rule files, by name."
    )
    egress_allow: tuple[str, ...] = Field(
        (), description="Hosts and networks webhooks may go to; empty = any public address."
    )
    public_url: str | None = Field(
        None, description="Where people open the dashboards; the base of links in alerts."
    )
    # A number costs some 0.4 CPU-seconds, engine included: it is two thirds of what an idle collector does at 30 s.
    canary_interval_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description="Seconds between lines that the collector sends itself to see whether any is lost; 0 = none.",
    )
    # Somebody waits for the answer: beyond half a minute a narrower question is the quicker way.
    query_timeout_s: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Seconds a question to ClickHouse may take, all its statements together.",
    )
    # A quarter of what a small machine has; what needs more groups by nearly every row.
    query_memory_bytes: int = Field(
        2_000_000_000, ge=64 << 20, description="Bytes of memory a statement of API and pages may take."
    )
    # Every statement of ours has a LIMIT below this: it is for those that somebody will write.
    query_result_rows: int = Field(
        1_000_000, ge=1, description="Rows a statement of API and pages may answer; beyond it, an error."
    )
    query_result_bytes: int = Field(
        256 << 20,
        ge=1 << 20,
        description="Bytes a statement of API and pages may answer; beyond it, an error.",
    )
    # More than a large machine reads in query_timeout_s: ClickHouse counts from the index and refuses before it begins.
    query_read_rows: int = Field(
        10_000_000_000, ge=0, description="Rows a statement of API and pages may read; 0 = any."
    )
    # Rows that moved to S3 are paid for by what is fetched.
    query_read_bytes: int = Field(
        1 << 40, ge=0, description="Bytes, uncompressed, a statement of API and pages may read; 0 = any."
    )
    # Each uses every core: more at once make all of them slower, alerts and loading too.
    query_at_once: int = Field(
        8, ge=1, le=64, description="Statements of API and pages that run at once; more wait, then get a 503."
    )
    # A quarter of what a small machine has; the same bound as the API's own statements.
    sql_memory_bytes: int = Field(
        2_000_000_000, ge=64 << 20, description="Bytes of memory a person's SQL statement may take."
    )
    # More is an export, not an answer; the embedded engine holds the whole answer before it is sent.
    sql_result_rows: int = Field(
        1_000_000, ge=1, description="Rows a person's SQL statement may answer; beyond it, an error."
    )
    sql_result_bytes: int = Field(
        256 << 20, ge=1 << 20, description="Bytes a person's SQL statement may answer; beyond it, an error."
    )
    # As for the API's own statements.
    sql_read_rows: int = Field(
        10_000_000_000, ge=0, description="Rows a person's SQL statement may read; 0 = any."
    )
    sql_read_bytes: int = Field(
        1 << 40, ge=0, description="Bytes, uncompressed, a person's SQL statement may read; 0 = any."
    )
    export_rows: int = Field(1_000_000, ge=1, description="Log records that one export may have.")
    tail_viewers: int = Field(
        100, ge=0, le=10_000, description="Live tails watched at a time; 0 = the live tail is off."
    )
    # each is a condition of the one statement that is asked twice a second
    tail_searches: int = Field(32, ge=1, le=256, description="Different searches among them.")
    drain_s: float = Field(
        20.0, ge=0, le=600, description="Seconds that ending waits for the journal to be loaded."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Of the collector's own log."
    )

    @model_validator(mode="after")
    def _networks_of_proxies(self) -> Self:
        for each in self.trusted_proxies:
            try:
                ipaddress.ip_network(each, strict=False)
            except ValueError as error:
                raise ValueError(
                    f"trusted_proxies: {each!r} is no address or network; write 10.0.0.7 or 10.0.0.0/8"
                ) from error
        return self

    @model_validator(mode="after")
    def _key_of_syslog(self) -> Self:
        keyed = any((self.ingest_key, self.admin_key, self.keys))
        if self.syslog_port and keyed and self.syslog_key is None:
            raise ValueError(
                "syslog_key: keys are required here and a syslog sender cannot send one; "
                "set the key under which syslog is written (FUSEBOARD_SYSLOG_KEY)"
            )
        return self

    @model_validator(mode="after")
    def _key_of_fluent(self) -> Self:
        keyed = any((self.ingest_key, self.admin_key, self.keys))
        if self.fluent_port and keyed and self.fluent_key is None:
            raise ValueError(
                "fluent_key: keys are required here and a forward sender cannot send one; "
                "set the key under which it writes (FUSEBOARD_FLUENT_KEY)"
            )
        return self

    @model_validator(mode="after")
    def _classes_of_retention(self) -> Self:
        different = sorted({self.retention_days, *(rule.days for rule in self.retention)})
        if len(different) > _RETENTION_CLASSES:
            raise ValueError(
                f"retention: {len(different)} different numbers of days ({', '.join(map(str, different))}), retention_days included; "
                f"at most {_RETENTION_CLASSES} are possible, each is one more partition a day in every table"
            )
        return self

    @model_validator(mode="after")
    def _disk_of_the_embedded_engine(self) -> Self:
        for name in ("disk_max_bytes", "disk_free_bytes"):
            if self.clickhouse is not None and getattr(self, name) is not None:
                raise ValueError(
                    f"{name}: is about the embedded engine's disk, and 'clickhouse' names a server; leave one of them out"
                )
        return self

    @model_validator(mode="after")
    def _server(self) -> Self:
        url = urlsplit(self.clickhouse.get_secret_value()) if self.clickhouse is not None else None
        if url is not None and (url.scheme not in {"http", "https"} or not url.hostname):
            raise ValueError("clickhouse: write http://user:password@host:8123/database, or https://…:8443/…")
        if self.cluster is not None and url is None:
            raise ValueError("cluster: is one of ClickHouse servers; 'clickhouse' names one of them")
        if self.storage_policy is not None and url is None:
            raise ValueError(
                "storage_policy: is one of a ClickHouse server's; the embedded engine has a disk and disk_max_bytes"
            )
        if self.move_after_days is not None and self.storage_policy is None:
            raise ValueError("move_after_days: moves rows within a storage policy; set storage_policy")
        if self.clickhouse_ca_file is not None and (url is None or url.scheme != "https"):
            raise ValueError("clickhouse_ca_file: only a server at https:// shows a certificate")
        if self.clickhouse_ca_file is not None and not self.clickhouse_ca_file.is_file():
            raise ValueError(f"clickhouse_ca_file: {str(self.clickhouse_ca_file)!r} is no file")
        return self

    @model_validator(mode="after")
    def _keys_beyond_loopback(self) -> Self:
        if not is_loopback(self.host) and not any((self.ingest_key, self.admin_key, self.keys)):
            raise ValueError(
                f"host: {self.host!r} is reachable from other machines, so keys are required; "
                "set ingest_key and admin_key (FUSEBOARD_INGEST_KEY, FUSEBOARD_ADMIN_KEY), or listen on 127.0.0.1"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches *host*."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(
    config: Path | None, options: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> Settings:
    """
    Build the settings.

    Args:
        config: TOML file, or ``None``.
        options: From the command line; ``None`` values are left out.
        environ: ``FUSEBOARD_<NAME>``; lists and tables as JSON.

    Raises:
        SettingsError: Naming the setting and quoting the value.
    """
    values: dict[str, Any] = {}
    if config is not None:
        values.update(_from_file(config))
    values.update(_from_environ(environ))
    values.update({name: value for name, value in options.items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(problem) for problem in error.errors())) from error


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (name, value with secrets masked, help) of every setting."""
    fields = type(settings).model_fields
    return [
        (name, _shown(getattr(settings, name)), field.description or "") for name, field in fields.items()
    ]


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"--config: cannot read {str(path)!r}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"--config: {str(path)!r} is not TOML: {error}") from error


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(ENV_PREFIX) or variable.startswith(_NOT_SETTINGS):
            continue
        if variable in _OF_THE_TERMINAL:
            continue
        name = variable[len(ENV_PREFIX) :].lower()
        values[name] = _parsed(variable, name, text)
    return values


def _parsed(variable: str, name: str, text: str) -> Any:
    if name not in {
        "keys",
        "receivers",
        "route",
        "inhibit",
        "retention",
        "rule_files",
        "allowed_hosts",
        "egress_allow",
        "external_labels",
        "heartbeat",
        "oidc",
        "trusted_proxies",
    }:
        return text
    if not text.lstrip().startswith(("[", "{")):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{variable}: not JSON: {error}") from error


def _sentence(problem: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown setting; 'fuseboard check' lists the known ones"
    words = ("key", "secret", "oidc.client_secret", "clickhouse", "state", "receivers", "heartbeat")
    secret = any(word in where for word in words) and not where.endswith(_SHOWN)
    secret = secret or (where.startswith("oidc") and isinstance(problem["input"], Mapping))
    value = "" if secret or not where else f" (got {problem['input']!r})"
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}{value}" if where else text


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    if isinstance(value, BaseModel):
        return (
            "{"
            + ", ".join(f"{name}={_shown(getattr(value, name))}" for name in type(value).model_fields)
            + "}"
        )
    return "" if value is None else str(value)
