"""What one service process reads from its environment (the table stands in the package docstring)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.errors import UsageError
from demo.topology import SERVICES, ServiceSpec

DEFAULT_DATA_DIR = ".fuseboard/shop"


@dataclass(frozen=True)
class ServiceSettings:
    """One service's settings; built once and passed in."""

    spec: ServiceSpec
    host: str
    port: int
    control_port: int
    neighbours: Mapping[str, str]
    data_dir: Path
    log_file: Path | None
    seed: int
    instance: str
    env: str
    version: str
    otlp_endpoint: str | None

    @classmethod
    def from_env(cls, service: str, environ: Mapping[str, str]) -> ServiceSettings:
        """
        Read the settings of *service*.

        Raises:
            UsageError: An unknown service, or a value that is not a number where one is needed.
        """
        if service not in SERVICES:
            raise UsageError(f"unknown service {service!r}: one of {', '.join(SERVICES)}")
        spec = SERVICES[service]
        log_file = environ.get("DEMO_LOG_FILE")
        return cls(
            spec=spec,
            host=environ.get("DEMO_HOST", "127.0.0.1"),
            port=_number(environ, "DEMO_PORT", 8000),
            control_port=_number(environ, "DEMO_CONTROL_PORT", 8001),
            neighbours={call.target: _neighbour(environ, call.target) for call in spec.calls},
            data_dir=Path(environ.get("DEMO_DATA_DIR", DEFAULT_DATA_DIR)),
            log_file=Path(log_file) if log_file else None,
            seed=_number(environ, "DEMO_SEED", 1),
            instance=environ.get("DEMO_INSTANCE", f"{service}-1"),
            env=environ.get("DEMO_ENV", "demo"),
            version=environ.get("DEMO_VERSION", spec.version),
            otlp_endpoint=environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"),
        )


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"{name} is {text!r}: give a whole number")
    return int(text)


def _neighbour(environ: Mapping[str, str], target: str) -> str:
    name = f"DEMO_{target.upper()}_URL"
    url = environ.get(name, f"http://{target}:8000")
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{name} is {url!r}: give a URL such as http://{target}:8000")
    return url.rstrip("/")
