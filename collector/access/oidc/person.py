"""What a provider says of somebody -> a name and a role, or why they may not come in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collector.errors import Forbidden
from collector.settings import OidcSettings

# As of people who are added by hand.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\Z")
# The strongest first: of several roles somebody has this one.
_ROLES = {"admin": "admin", "editor": "editor", "viewer": "read"}


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody a provider vouches for."""

    name: str
    role: str
    identity: str
    """What stands in place of a password: the provider and its word for them, as a digest."""


def vouched(claims: Mapping[str, Any], told: OidcSettings) -> Vouched:
    """
    Read who it is and what they may.

    Raises:
        Forbidden: ``oidc_refused``; the message says what is missing and where it is set.
    """
    name = found(claims, told.name_claim)
    if not isinstance(name, str) or not _NAME.match(name):
        raise _refused(
            f"{told.name_claim!r} of what it says is no name ({name!r}): set oidc.name_claim, or ask for another scope in oidc.scopes"
        )
    if told.name_claim == "email" and claims.get("email_verified") is False:
        raise _refused(f"the address {name!r} is not verified there")
    groups = groups_of(claims, told)
    _check_domain(claims, told)
    if told.allowed_groups and not groups & set(told.allowed_groups):
        raise _refused(f"{name!r} is in none of oidc.allowed_groups")
    identity = hashlib.sha256(f"{claims['iss']}\n{claims['sub']}".encode()).hexdigest()
    return Vouched(name, _role(name, groups, told), f"oidc${identity}")


def groups_of(claims: Mapping[str, Any], told: OidcSettings) -> set[str]:
    """Give the values of the claim that roles are read from; a text is one, or several with spaces between."""
    value = found(claims, told.roles_claim)
    if isinstance(value, str):
        return {value, *value.split()}
    return {each for each in value if isinstance(each, str)} if isinstance(value, list) else set()


def found(claims: Mapping[str, Any], path: str) -> Any:
    """Give a claim by its name, or by a way into nested ones with dots between (``realm_access.roles``); None if it is not there."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _role(name: str, groups: set[str], told: OidcSettings) -> str:
    for role, kept in _ROLES.items():
        if groups & set(told.roles.get(role, ())):  # type: ignore[call-overload]
            return kept
    if told.default_role == "none":
        raise _refused(f"no group of {name!r} has a role in oidc.roles, and oidc.default_role is 'none'")
    return _ROLES[told.default_role]


def _check_domain(claims: Mapping[str, Any], told: OidcSettings) -> None:
    email = claims.get("email")
    domain = email.rpartition("@")[2].lower() if isinstance(email, str) and "@" in email else ""
    allowed = {each.lower() for each in told.allowed_domains}
    if allowed and (domain not in allowed or claims.get("email_verified") is False):
        raise _refused(f"the address {email!r} is of none of oidc.allowed_domains, or not verified there")


def _refused(why: str) -> Forbidden:
    return Forbidden("oidc_refused", f"the provider knows you, but you may not come in here: {why}")
