"""Where alerts go, and the sign of life of the alerting."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from collector.settings.frozen import Frozen


class ReceiverSettings(Frozen):
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


class HeartbeatSettings(Frozen):
    """``[heartbeat]``: a sign of life of the alerting, for a dead-man's switch elsewhere."""

    receiver: str = Field("", description="Name of the receiver it goes to; or give a URL of its own.")
    url: SecretStr | None = Field(
        None, description="Where it is posted, in Alertmanager's form as an alert 'Watchdog'."
    )
    url_env: str = Field("", description="Name of the environment variable that holds the URL.")
    url_file: str = Field("", description="Path of the file that holds the URL.")
    interval_s: float = Field(60.0, description="Seconds between beats, 5 to 86400.")
    allow_private: bool = Field(default=False, description="The URL's address may be loopback or private.")
