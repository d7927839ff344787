"""Who may come in: static keys, and people through a provider."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from collector.settings.frozen import Frozen, Subject


class KeySettings(Frozen):
    """``[[keys]]``: one static key."""

    name: str = Field(min_length=1, description="Shown in place of the secret.")
    secret: SecretStr = Field(min_length=1, description="What the client sends as 'Authorization: Bearer …'.")
    role: Literal["ingest", "read", "editor", "admin"] = Field(
        "ingest",
        description="ingest writes; read asks; editor asks and keeps views, dashboards, silences; admin does all and manages.",
    )
    services: tuple[str, ...] = Field((), description="Services it may write; empty = any.")
    envs: tuple[str, ...] = Field((), description="Environments it may write; empty = any.")


class OidcSettings(Frozen):
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


class AccessFields(Subject):
    """Keys, sessions, and which hosts and proxies are believed."""

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
