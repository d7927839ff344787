"""Which ClickHouse and which database of state there are; none named = the embedded ones."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from collector.settings.frozen import Subject


class StorageFields(Subject):
    """A ClickHouse server with its cluster and disks, and the state's database."""

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
