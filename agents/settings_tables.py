"""Every setting there is: key, what it takes, default, and the sentence that ``--help`` prints."""

from pathlib import Path

from agents.settings_fields import (
    REQUIRED,
    Field,
    attributes,
    choice,
    count,
    flag,
    listen,
    path,
    pattern,
    probe_url,
    ratio,
    seconds,
    secret_pattern,
    several,
    text,
    url,
)

TOP = (
    Field(
        "collector",
        several(url),
        REQUIRED,
        "URL of the collector, or a list: the next is tried when one refuses",
    ),
    Field("key", text, None, "ingest key"),
    Field("key_file", path, None, "file that holds the ingest key"),
    Field("data_dir", path, Path("/var/lib/fuseboard-agent"), "spool and checkpoints"),
    Field("name", text, None, "the agent's name; default: service.instance.id, else the host's name"),
    Field("report_interval_s", seconds(0.1), 10.0, "seconds between reports"),
    Field("drain_s", seconds(0), 10.0, "seconds that SIGTERM waits for the spool to empty"),
    Field("metrics_listen", listen, None, "loopback address of our own /metrics; off by default"),
    Field("proxy", url, None, "HTTP proxy on the way to the collectors"),
    Field("max_open_files", count(1), 512, "followed files that are open at a time; the others take turns"),
    Field("resource", attributes, {}, "resource attributes of everything shipped"),
)
MULTILINE = choice("auto", "off", "python", "java", "go", "node", "dotnet", "ruby")
START_AT = choice("end", "beginning")
FILES = (
    Field("paths", several(text), REQUIRED, "glob patterns"),
    Field("exclude", several(text), (), "glob patterns of files not to follow"),
    Field("start_at", START_AT, "end", "where to begin in files seen for the first time"),
    Field(
        "format",
        choice("detect", "json", "logfmt", "cri", "docker", "syslog", "access", "text"),
        "detect",
        "how the collector reads the lines",
    ),
    Field(
        "encoding",
        choice("utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1"),
        "utf-8",
        "how the files are written; utf-8 is shipped byte for byte, also where it is none",
    ),
    Field(
        "multiline",
        MULTILINE,
        "auto",
        "auto: any traceback is one record; a language: its own only; off: every line is",
    ),
    Field(
        "multiline_start",
        pattern,
        None,
        "regular expression that begins a record; lines that do not match continue it",
    ),
    Field("partial_age_s", seconds(0), 5.0, "seconds that a last line without a newline waits for its end"),
    Field("max_line_bytes", count(1024, 1 << 20), 1 << 20, "longer lines are cut, marked and counted"),
    Field("resource", attributes, {}, "resource attributes of these files alone"),
)
SCRAPE = (
    Field("url", url, REQUIRED, "endpoint that answers with an exposition, or with a Hystrix event stream"),
    Field("interval_s", seconds(0.1), 15.0, "seconds between scrapes"),
    Field("timeout_s", seconds(0.1), 10.0, "seconds that one scrape may take"),
    Field("max_bytes", count(1), 16 << 20, "largest exposition in bytes"),
    Field("max_samples", count(0), 0, "most samples in one exposition; 0 = no limit"),
    Field("username", text, None, "for basic authentication"),
    Field("password", text, None, "for basic authentication"),
    Field("password_file", path, None, "file that holds the password; read at each scrape"),
    Field("bearer_token", text, None, "for bearer authentication"),
    Field("bearer_token_file", path, None, "file that holds the bearer token; read at each scrape"),
    Field("ca_file", path, None, "certificates of the authorities that the target's is checked against"),
    Field("cert_file", path, None, "our certificate for mutual TLS"),
    Field("key_file", path, None, "the certificate's key"),
)
PROBE = (
    Field("url", probe_url, REQUIRED, "what is asked: http://…/healthz, https://… or tcp://host:port"),
    Field("interval_s", seconds(0.1), 10.0, "seconds between probes"),
    Field("timeout_s", seconds(0.1), 2.0, "seconds that one probe may take"),
    Field("failures", count(1), 3, "failed probes in a row that make the service unhealthy"),
    Field("successes", count(1), 1, "successful probes in a row that make it healthy"),
)
CONTAINER = (
    Field("enabled", flag, default=False, help="ship container metrics"),
    Field("interval_s", seconds(0.1), 15.0, "seconds between samples"),
    Field("pid", count(0), 0, "process of the service; 0 = not given"),
    Field("pid_file", path, None, "file that holds the pid of the service; read at each sample"),
)
NODE = (
    Field("enabled", flag, default=False, help="follow all containers of this host"),
    Field("pods_dir", path, Path("/var/log/pods"), "Kubernetes' directory of container logs"),
    Field("docker_dir", path, Path("/var/lib/docker/containers"), "Docker's directory of containers"),
    Field("cgroup_dir", path, Path("/sys/fs/cgroup"), "where cgroups are mounted"),
    Field(
        "exclude",
        several(text),
        (),
        "glob patterns of containers (namespace/pod/container, or name) not to follow",
    ),
    Field("start_at", START_AT, "beginning", "where to begin in logs that are there at the first start"),
    Field("multiline", MULTILINE, "auto", "as in [[files]]"),
    Field("interval_s", seconds(0.1), 15.0, "seconds between samples of the containers' resource use"),
)
RELAY = (
    Field("listen", listen, None, "loopback address of the relay; off by default"),
    Field("max_body_bytes", count(1), 16 << 20, "largest request in bytes, after decompression"),
)
REDACT = (
    Field(
        "presets",
        several(choice("tokens", "cards", "emails", "jwts", "cloud_keys")),
        (),
        "what to take out of lines",
    ),
    Field("keys", several(text), (), "names whose values are taken out, in JSON and in key=value"),
    Field(
        "patterns",
        several(secret_pattern, split=False),
        (),
        "regular expressions whose matches are taken out",
    ),
)
FILTER = (
    Field(
        "include", several(pattern, split=False), (), "regular expressions; lines that match none are dropped"
    ),
    Field(
        "exclude", several(pattern, split=False), (), "regular expressions; lines that match one are dropped"
    ),
)
SAMPLE = tuple(
    Field(severity, ratio, 1.0, f"share of {severity} lines that is kept, 0 to 1")
    for severity in ("trace", "debug", "info", "warn")
)
LIMIT = (
    Field("lines_per_s", count(0), 0, "most lines per second and source; 0 = no limit"),
    Field("bytes_per_s", count(0), 0, "most bytes per second and source; 0 = no limit"),
    Field("burst_s", seconds(0.1), 5.0, "seconds of the rate that may come at once"),
    Field(
        "resume_ratio",
        ratio,
        0.5,
        "a source that was limited is let through again below this share of the rate",
    ),
)
SPOOL = (
    Field("max_bytes", count(1 << 16), 1 << 30, "bytes on disk"),
    Field("max_age_s", count(0), 0, "blocks that waited longer are dropped; 0 = never"),
    Field(
        "when_full",
        choice("block", "drop_oldest", "drop_newest"),
        "block",
        "what happens when the spool is full",
    ),
)
TLS = (
    Field("ca_file", path, None, "certificates of the authorities that collectors are checked against"),
    Field("cert_file", path, None, "our certificate for mutual TLS"),
    Field("key_file", path, None, "the certificate's key"),
)
BREAKER = (
    Field("failures", count(1), 5, "failed requests in a row that open the breaker of a collector"),
    Field("open_s", seconds(0.1), 5.0, "seconds that it stays open before one request tries again"),
)
TABLES = {
    "container": CONTAINER,
    "node": NODE,
    "relay": RELAY,
    "redact": REDACT,
    "filter": FILTER,
    "sample": SAMPLE,
    "limit": LIMIT,
    "spool": SPOOL,
    "tls": TLS,
    "breaker": BREAKER,
}
LISTS = {"files": FILES, "scrape": SCRAPE, "probe": PROBE}
