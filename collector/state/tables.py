"""
The state's tables as SQLAlchemy Core sees them; ``schema/*.sql`` is what creates them.

Two column types carry the meaning: :class:`Instant` (aware datetime ↔ microseconds since the
epoch) and :class:`JsonText` (JSON value ↔ text with sorted keys), the same bytes on SQLite and
PostgreSQL.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored as whole microseconds since the Unix epoch."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Give the integer; a naive datetime is a bug and raises TypeError."""
        del dialect
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give the aware datetime, UTC."""
        del dialect
        return None if value is None else EPOCH + timedelta(microseconds=value)


class JsonText(TypeDecorator[Any]):
    """A JSON value, stored as text with sorted keys."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Give the text."""
        del dialect
        return json.dumps(value, sort_keys=True, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Give the value back."""
        del dialect
        return json.loads(value)


metadata = MetaData()

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule_id", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("pending_since", Instant, nullable=False),
    Column("fired_at", Instant),
    Column("resolved_at", Instant),
    Column("value", Float, nullable=False),
    Column("labels", JsonText, nullable=False),
    Column("annotations", JsonText, nullable=False),
    Column("instances", JsonText, nullable=False),
    Column("reason", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("missing_since", Instant),
    Column("kept_since", Instant),
)

rule_groups = Table(
    "rule_groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("slot_at", Instant, nullable=False),
    Column("evaluated_at", Instant, nullable=False),
    Column("took_s", Float, nullable=False),
    Column("problems", JsonText, nullable=False),
)

recordings = Table(
    "recordings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("slot_at", Instant, nullable=False),
    Column("body", Text, nullable=False),
)

open_breakers = Table(
    "open_breakers",
    metadata,
    Column("service", Text, primary_key=True),
    Column("env", Text, primary_key=True),
    Column("breaker", Text, primary_key=True),
    Column("since", Instant, nullable=False),
)

receivers = Table(
    "receivers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("not_before", Instant),
    Column("disabled_at", Instant),
    Column("disabled_reason", Text),
    Column("failures", Integer, nullable=False),
    Column("opens", Integer, nullable=False),
    Column("opened_at", Instant),
    Column("open_until", Instant),
    Column("last_success_at", Instant),
    Column("last_failure_at", Instant),
    Column("last_error", Text),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("webhook_id", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("last_status", Integer),
    Column("last_error", Text),
    Column("delivered_at", Instant),
)

attempts = Table(
    "attempts",
    metadata,
    Column("outbox_id", BigInteger, ForeignKey("outbox.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("elapsed_ms", Float),
    Column("address", Text),
    Column("status", Integer),
    Column("error", Text),
    Column("body_excerpt", Text),
)

canaries = Table(
    "canaries",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("instance", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("sent_at", Instant, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("done_until", Instant, nullable=False),
    Column("planned_until", Instant, nullable=False),
)

deploy_markers = Table(
    "deploy_markers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("told_as", Text, nullable=False, unique=True),
    Column("digest", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("env", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("told_by", Text, nullable=False),
    Column("commit_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
)

catalogue = Table(
    "catalogue",
    metadata,
    Column("service", Text, primary_key=True),
    Column("entry", JsonText, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

views = Table(
    "views",
    metadata,
    Column("id", Text, primary_key=True),
    Column("page", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("env", Text, nullable=False),
    Column("range_start", Text, nullable=False),
    Column("range_end", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("page", "name"),
)

silences = Table(
    "silences",
    metadata,
    Column("id", Text, primary_key=True),
    Column("matchers", JsonText, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("schedule", JsonText, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

held_alerts = Table(
    "held_alerts",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("since", Instant, nullable=False),
)

access_version = Table(
    "access_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("services", JsonText, nullable=False),
    Column("envs", JsonText, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("previous_digest", Text),
    Column("previous_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("rotated_at", Instant),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
)

access_people = Table(
    "access_people",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("disabled", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("signed_in_at", Instant),
)

access_sessions = Table(
    "access_sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("person", Text, ForeignKey("access_people.name", ondelete="CASCADE"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

boards = Table(
    "boards",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("panels", JsonText, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("updated_by", Text, nullable=False),
)

alert_groups = Table(
    "alert_groups",
    metadata,
    Column("key", Text, primary_key=True),
    Column("route", Text, nullable=False),
    Column("receivers", JsonText, nullable=False),
    Column("labels", JsonText, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("told_at", Instant),
    Column("told", Integer, nullable=False),
    Column("due_at", Instant),
)

group_alerts = Table(
    "group_alerts",
    metadata,
    Column("group_key", Text, ForeignKey("alert_groups.key", ondelete="CASCADE"), primary_key=True),
    Column("alert_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
)

planning = Table(
    "planning",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

flaps = Table(
    "flaps",
    metadata,
    Column("rule_id", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("fired", JsonText, nullable=False),
    Column("flapping_since", Instant),
    Column("ended_id", Text),
    Column("quiet_at", Instant),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("env", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("acknowledged_at", Instant),
    Column("resolved_at", Instant),
    Column("updated_at", Instant, nullable=False),
    Column("merged_into", Text),
    Column("pinned", JsonText, nullable=False),
    Column("pinned_at", Instant),
)

incident_alerts = Table(
    "incident_alerts",
    metadata,
    Column("incident_id", Text, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True),
    Column("alert_id", Text, primary_key=True),
    Column("added_at", Instant, nullable=False),
    Column("evidence", JsonText, nullable=False),
)

incident_entries = Table(
    "incident_entries",
    metadata,
    Column("incident_id", Text, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("text", Text, nullable=False),
)
