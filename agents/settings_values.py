"""The settings as values: one frozen dataclass per table of ``agent.toml``; what each key means stands in ``settings_tables``."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FilesSettings:
    """One ``[[files]]``: which files to follow and how their lines are to be read."""

    paths: tuple[str, ...]
    exclude: tuple[str, ...]
    start_at: str
    format: str
    encoding: str
    multiline: str
    multiline_start: str | None
    partial_age_s: float
    max_line_bytes: int
    resource: dict[str, str]


@dataclass(frozen=True, slots=True)
class ScrapeSettings:
    """One ``[[scrape]]``: an endpoint that answers with an exposition."""

    url: str
    interval_s: float
    timeout_s: float
    max_bytes: int
    max_samples: int
    username: str | None
    password: str | None = field(repr=False)
    password_file: Path | None
    bearer_token: str | None = field(repr=False)
    bearer_token_file: Path | None
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """One ``[[probe]]``: a health check of the service beside the agent."""

    url: str
    interval_s: float
    timeout_s: float
    failures: int
    successes: int


@dataclass(frozen=True, slots=True)
class ContainerSettings:
    """``[container]``: the resource use of the container, or of the process, beside the agent."""

    enabled: bool
    interval_s: float
    pid: int
    pid_file: Path | None


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """``[node]``: one agent for all containers of a host."""

    enabled: bool
    pods_dir: Path
    docker_dir: Path
    cgroup_dir: Path
    exclude: tuple[str, ...]
    start_at: str
    multiline: str
    interval_s: float


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """``[relay]``: where the service beside us sends OTLP and breaker transitions."""

    listen: tuple[str, int] | None
    max_body_bytes: int


@dataclass(frozen=True, slots=True)
class RedactSettings:
    """``[redact]``: what is taken out of lines before they reach the disk."""

    presets: tuple[str, ...]
    keys: tuple[str, ...]
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """``[filter]``: which lines are shipped at all."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """``[sample]``: the share of lines that is kept, by severity; errors are always kept."""

    trace: float
    debug: float
    info: float
    warn: float


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """``[limit]``: the most that one source may ship, 0 = without limit."""

    lines_per_s: int
    bytes_per_s: int
    burst_s: float
    resume_ratio: float


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """``[spool]``: how much waits on disk, and what happens beyond."""

    max_bytes: int
    max_age_s: int
    when_full: str


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """``[tls]``: how collectors are trusted, and what we show them."""

    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """``[breaker]``: when the agent stops asking a collector, and for how long."""

    failures: int
    open_s: float


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the agent was told; built once by ``settings.load``."""

    collector: tuple[str, ...]
    key: str | None = field(repr=False)
    key_file: Path | None
    data_dir: Path
    name: str
    report_interval_s: float
    drain_s: float
    metrics_listen: tuple[str, int] | None
    proxy: str | None
    max_open_files: int
    resource: dict[str, str]
    files: tuple[FilesSettings, ...]
    scrape: tuple[ScrapeSettings, ...]
    probe: tuple[ProbeSettings, ...]
    container: ContainerSettings
    node: NodeSettings
    relay: RelaySettings
    redact: RedactSettings
    filter: FilterSettings
    sample: SampleSettings
    limit: LimitSettings
    spool: SpoolSettings
    tls: TlsSettings
    breaker: BreakerSettings
