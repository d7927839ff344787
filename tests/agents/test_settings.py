"""Settings: file, environment, and the sentence for a wrong one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agents.errors import WrongSetting
from agents.settings import PREFIX, load
from agents.settings_tables import LISTS, TABLES, TOP

ROOT = Path(__file__).resolve().parents[2]

CONTRACT = """
collector = "http://collector:4318"
key = "secret-key"
data_dir = "/tmp/x"
[resource]
"service.name" = "checkout"
[[files]]
paths = ["/var/log/app/*.log*"]
start_at = "end"
format = "detect"
multiline = "auto"
[[scrape]]
url = "http://127.0.0.1:8000/metrics"
interval_s = 15
[container]
enabled = true
[relay]
listen = "127.0.0.1:4318"
[redact]
presets = ["tokens", "cards", "emails"]
[spool]
max_bytes = 1073741824
when_full = "block"
"""


def write(tmp_path, text):
    """Write a settings file."""
    path = tmp_path / "agent.toml"
    path.write_text(text)
    return path


def test_the_contracts_file_is_taken(tmp_path):
    """Every table of the contract is understood."""
    settings = load(write(tmp_path, CONTRACT), {})

    assert settings.collector == ("http://collector:4318",)
    assert settings.files[0].paths == ("/var/log/app/*.log*",)
    assert settings.relay.listen == ("127.0.0.1", 4318)
    assert settings.resource["service.name"] == "checkout"
    assert settings.redact.presets == ("tokens", "cards", "emails")


def test_the_environment_alone_is_enough():
    """Every key is also a variable; OpenTelemetry's two name the service."""
    settings = load(
        None,
        {
            "FUSEBOARD_AGENT_COLLECTOR": "http://a:4318, http://b:4318",
            "FUSEBOARD_AGENT_FILES_PATHS": "/a.log,/b.log",
            "FUSEBOARD_AGENT_SPOOL_MAX_BYTES": "1000000",
            "FUSEBOARD_AGENT_CONTAINER_ENABLED": "true",
            "OTEL_SERVICE_NAME": "checkout",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,service.version=1%2E4",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
        },
    )

    assert settings.collector == ("http://a:4318", "http://b:4318")
    assert settings.files[0].paths == ("/a.log", "/b.log")
    assert settings.spool.max_bytes == 1_000_000
    assert settings.container.enabled
    assert settings.resource["service.name"] == "checkout"
    assert settings.resource["service.version"] == "1.4"


def test_the_environment_overrides_the_file(tmp_path):
    """A variable wins over the file, in every [[files]]."""
    settings = load(
        write(tmp_path, CONTRACT),
        {"FUSEBOARD_AGENT_FILES_START_AT": "beginning", "FUSEBOARD_AGENT_KEY": "other"},
    )

    assert settings.files[0].start_at == "beginning"
    assert settings.key == "other"


@pytest.mark.parametrize(
    ("text", "named", "quoted"),
    [
        ("", "collector", "FUSEBOARD_AGENT_COLLECTOR"),
        ('collector = "ftp://x"', "collector", "'ftp://x'"),
        ('collector = "http://a"\ncolector = 1', "colector", "1"),
        ('collector = "http://a"\n[spool]\nmax_bytes = "big"', "spool.max_bytes", "'big'"),
        ('collector = "http://a"\n[spool]\nmax_bytes = true', "spool.max_bytes", "True"),
        ('collector = "http://a"\n[spool]\nwhen_full = "panic"', "spool.when_full", "'panic'"),
        ('collector = "http://a"\n[[files]]\nstart_at = "end"', "files.paths", "FUSEBOARD_AGENT_FILES_PATHS"),
        ('collector = "http://a"\n[files]\npaths = ["x"]', "files", "[[files]]"),
        ('collector = "http://a"\n[relay]\nlisten = "0.0.0.0:4318"', "relay.listen", "'0.0.0.0:4318'"),
        ('collector = "http://a"\n[resource]\nservice.name = "x"', "resource.service", "quote the key"),
        ('collector = "http://a"\nkey_file = "/nowhere"', "key_file", "'/nowhere'"),
        ('collector = "http://a"\n[redact]\npresets = ["tokenz"]', "redact.presets", "'tokenz'"),
        ('collector = "http://a"\n[[scrape]]\nurl = "http://a"\ninterval_s = -1', "scrape.interval_s", "-1"),
        ("collector = ", "--config", "not TOML"),
    ],
)
def test_a_wrong_setting_is_named_and_quoted(tmp_path, text, named, quoted):
    """The sentence names the setting, quotes the value and says what is wanted."""
    with pytest.raises(WrongSetting) as caught:
        load(write(tmp_path, text), {})

    assert named in caught.value.message
    assert quoted in caught.value.message


def test_an_unknown_variable_is_refused():
    """A misspelled variable is not silently without effect."""
    with pytest.raises(WrongSetting, match=r"FUSEBOARD_AGENT_COLECTOR.*'http://a'"):
        load(None, {"FUSEBOARD_AGENT_COLECTOR": "http://a"})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_collector_that_is_our_own_relay_is_refused(host):
    """What the relay takes in would come back to it for ever."""
    with pytest.raises(WrongSetting, match="own relay"):
        load(
            None,
            {
                "FUSEBOARD_AGENT_COLLECTOR": f"http://{host}:4318",
                "FUSEBOARD_AGENT_RELAY_LISTEN": "127.0.0.1:4318",
            },
        )


SECRETS = """
collector = ["http://a:4318"]
key = "secret-key"
proxy = "http://user:secret-proxy@proxy:3128"
[[scrape]]
url = "http://127.0.0.1:8000/metrics"
username = "u"
password = "secret-password"
[[scrape]]
url = "http://127.0.0.1:8001/metrics"
bearer_token = "secret-token"
"""


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_check_prints_every_setting_and_no_secret(tmp_path, option):
    """Each key with its help and its value; keys, passwords, tokens and a proxy's credentials are masked."""
    done = run("check", "--config", write(tmp_path, SECRETS), *option)

    assert done.returncode == 0
    assert "secret" not in done.stdout
    assert "http://(masked)@proxy:3128" in done.stdout
    for table, fields in ({"": TOP} | TABLES | {"scrape": LISTS["scrape"]}).items():
        assert table in done.stdout
        for field in fields:
            assert (f'"{field.key}": ' if option else f"# {field.help}\n{field.key} = ") in done.stdout


def test_check_says_what_is_wrong_to_programs(tmp_path):
    """With --json the refusal is an object; the exit code is the same."""
    done = run(
        "check", "--json", "--config", write(tmp_path, 'collector = "http://a"\n[spool]\nmax_bytes = "big"')
    )
    said = json.loads(done.stdout)

    assert (done.returncode, said["ok"], said["setting"]) == (2, False, "spool.max_bytes")
    assert "'big'" in said["message"]


def test_check_notes_what_is_worth_a_second_look(tmp_path):
    """A key in clear text and a file that is not there yet are said, and no reason to refuse."""
    text = (
        'collector = "http://collector:4318"\nkey = "k"\n[[scrape]]\nurl = "http://a/metrics"\n'
        'bearer_token_file = "/nowhere/token"\n'
    )
    done = run("check", "--config", write(tmp_path, text))

    assert done.returncode == 0
    assert "collector: 'http://collector:4318' is not https" in done.stderr
    assert "scrape.bearer_token_file: '/nowhere/token' cannot be read" in done.stderr


HTTPS = 'collector = "https://a"\n'


@pytest.mark.parametrize(
    ("text", "named", "quoted"),
    [
        (HTTPS + '[tls]\nca_file = "/nowhere/ca.pem"', "tls.ca_file", "'/nowhere/ca.pem'"),
        (HTTPS + '[tls]\nca_file = "HERE"', "tls.ca_file", "no certificates"),
        (HTTPS + '[tls]\ncert_file = "HERE"', "tls.cert_file", "without key_file"),
        (HTTPS + '[tls]\nkey_file = "HERE"', "tls.key_file", "without cert_file"),
        (HTTPS + '[tls]\ncert_file = "HERE"\nkey_file = "HERE"', "tls.cert_file", "not a certificate"),
        ('collector = "http://a"\n[tls]\nca_file = "HERE"', "tls.ca_file", "no collector is https"),
        ('collector = "http://u:hidden@a"', "collector", "'a' holds credentials"),
        ('collector = "http://a"\nproxy = "https://p:1"', "proxy", "http://host:port"),
        (
            'collector = "http://a"\nmetrics_listen = "127.0.0.1:5"\n[relay]\nlisten = "127.0.0.1:5"',
            "metrics_listen",
            "127.0.0.1:5",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path, text, named, quoted):
    """What cannot work is found before the start, by the name of the setting to change."""
    path = tmp_path / "agent.toml"
    path.write_text(text.replace("HERE", str(path)))

    with pytest.raises(WrongSetting) as caught:
        load(path, {})

    assert caught.value.setting == named
    assert quoted in caught.value.message
    assert "hidden" not in caught.value.message


def test_the_command_line_exits_2_and_names_the_setting(tmp_path):
    """A wrong setting is exit 2 and one sentence on standard error; a good file is exit 0 with ``check``."""
    wrong = run("--config", write(tmp_path, 'collector = "http://a"\n[spool]\nmax_bytes = "big"'))
    good = run("check", "--config", write(tmp_path, CONTRACT))

    assert (wrong.returncode, good.returncode) == (2, 0)
    assert wrong.stderr.count("\n") == 1
    assert "spool.max_bytes: 'big'" in wrong.stderr
    assert "secret-key" not in good.stdout


def run(*arguments):
    """Run the command line."""
    command = [sys.executable, "-m", "agents", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT, env={}, check=False)


def test_help_names_every_setting():
    """Nobody has to read the source to find a key."""
    text = run("--help").stdout

    for table, fields in ({"": TOP} | TABLES | LISTS).items():
        for field in fields:
            assert (f"{table}.{field.key}" if table else field.key) in text
            assert field.help in text
    assert PREFIX in text


def test_the_agent_imports_nothing_heavy():
    """What is imported is resident beside every service: no server framework, no collector, no dashboards."""
    modules = (
        "agents.__main__, agents.pipeline, agents.sources.files, agents.sources.relay, agents.sources.scrape, "
        "agents.sources.container, agents.sources.command, agents.processors.redact, agents.metrics"
    )
    code = f"import sys, {modules}; print('\\n'.join({{name.partition('.')[0] for name in sys.modules}}))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout

    assert not {
        "collector",
        "dashboards",
        "pydantic",
        "structlog",
        "httpx",
        "fastapi",
        "urllib3",
        "asyncio",
    } & set(found.split())


def test_two_agents_do_not_share_a_data_directory(agent, collector, wait_for):
    """The second one exits 2 and says which setting is to be changed."""
    agent.start(f'collector = "{collector.url}"\n')
    wait_for(lambda: bool(agent.happened("agent_started")), "the first")

    second = run("--config", agent.home / "agent.toml")

    assert second.returncode == 2
    assert "data_dir" in second.stderr
    assert str(agent.data) in second.stderr


def test_a_relay_address_that_is_taken_is_named(agent, collector, tmp_path):
    """Exit 2 with the address, rather than a stack trace."""
    agent.start(f'collector = "{collector.url}"\n[relay]\nlisten = "127.0.0.1:0"\n')
    address = agent.relay().removeprefix("http://")
    config = f'collector = "{collector.url}"\ndata_dir = "{tmp_path}/other"\n[relay]\nlisten = "{address}"\n'

    second = run("--config", write(tmp_path, config))

    assert second.returncode == 2
    assert "relay.listen" in second.stderr
    assert address in second.stderr
