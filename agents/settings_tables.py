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
    seconds,
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
    Field("resource", attributes, {}, "resource attributes of everything shipped"),
)
FILES = (
    Field("paths", several(text), REQUIRED, "glob patterns"),
    Field("exclude", several(text), (), "glob patterns of files not to follow"),
    Field("start_at", choice("end", "beginning"), "end", "where to begin in files seen for the first time"),
    Field(
        "format",
        choice("detect", "json", "logfmt", "cri", "docker", "syslog", "access", "text"),
        "detect",
        "how the collector reads the lines",
    ),
    Field("multiline", choice("auto", "off"), "auto", "auto: a traceback is one record; off: every line is"),
)
SCRAPE = (
    Field("url", url, REQUIRED, "endpoint that answers with an exposition"),
    Field("interval_s", seconds(0.1), 15.0, "seconds between scrapes"),
    Field("timeout_s", seconds(0.1), 10.0, "seconds that one scrape may take"),
    Field("max_bytes", count(1), 16 << 20, "largest exposition in bytes"),
)
CONTAINER = (
    Field("enabled", flag, default=False, help="ship container metrics"),
    Field("interval_s", seconds(0.1), 15.0, "seconds between samples"),
    Field("pid", count(0), 0, "process of the service; 0 = not given"),
    Field("pid_file", path, None, "file that holds the pid of the service; read at each sample"),
)
RELAY = (
    Field("listen", listen, None, "loopback address of the relay; off by default"),
    Field("max_body_bytes", count(1), 16 << 20, "largest request in bytes, after decompression"),
)
REDACT = (Field("presets", several(choice("tokens", "cards", "emails")), (), "what to take out of lines"),)
SPOOL = (
    Field("max_bytes", count(1 << 16), 1 << 30, "bytes on disk"),
    Field(
        "when_full",
        choice("block", "drop_oldest", "drop_newest"),
        "block",
        "what happens when the spool is full",
    ),
)
TABLES = {"container": CONTAINER, "relay": RELAY, "redact": REDACT, "spool": SPOOL}
LISTS = {"files": FILES, "scrape": SCRAPE}
