"""All settings together: each subject's, and what one demands of another."""

from __future__ import annotations

import ipaddress
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, model_validator

from collector.settings.access import AccessFields
from collector.settings.alerting import AlertingFields
from collector.settings.asking import AskingFields
from collector.settings.intake import IntakeFields
from collector.settings.keeping import KeepingFields
from collector.settings.listening import ListeningFields, is_loopback
from collector.settings.storage import StorageFields

_RETENTION_CLASSES = 4


# The fields of the last base come first: ``fuseboard check`` prints the subjects from the bottom up.
class Settings(
    AskingFields,
    AlertingFields,
    IntakeFields,
    KeepingFields,
    AccessFields,
    StorageFields,
    ListeningFields,
):
    """Everything ``fuseboard serve`` is told."""

    model_config = ConfigDict(defer_build=False)

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
