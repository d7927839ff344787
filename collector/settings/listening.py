"""Where the collector listens, and where its files are."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, SecretStr

from collector.settings.frozen import Subject


class ListeningFields(Subject):
    """Directory, address and ports; the keys of senders that cannot send one."""

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


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches *host*."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
