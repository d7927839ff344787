"""Settings that contradict each other are refused before anything starts."""

import subprocess
import sys

import pytest

from agents.errors import WrongSetting
from agents.settings import load

TARGET = "https://127.0.0.1:9/metrics"


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('username = "u"', "scrape.username: 'u' has no password"),
        ('password = "p"', "scrape.password: is set without scrape.username"),
        ('username = "u"\npassword = "p"\npassword_file = "/x"', "scrape.password: is set beside scrape.password_file"),
        ('bearer_token = "t"\nbearer_token_file = "/x"', "scrape.bearer_token: is set beside scrape.bearer_token_file"),
        ('username = "u"\npassword = "p"\nbearer_token = "t"', "scrape.bearer_token: is set beside scrape.username"),
        ('bearer_token = "tö"', "scrape.bearer_token: holds what no header can carry"),
        ('cert_file = "{here}"', "scrape.cert_file: '{here}' is set without scrape.key_file"),
        ('key_file = "{here}"', "scrape.key_file: '{here}' is set without scrape.cert_file"),
        ('ca_file = "/nowhere/ca.pem"', "scrape.ca_file: '/nowhere/ca.pem' cannot be read"),
        ('url = "http://h/m"\nca_file = "{here}"', "scrape.ca_file: '{here}' is of no use: 'http://h/m' is not https"),
        ('url = "http://u:p@h/m"', "scrape.url: the URL of 'h' holds credentials"),
    ],
)  # fmt: skip
def test_a_contradiction_names_its_setting(tmp_path, table, sentence):
    """Each sentence says which setting is wrong and quotes it; no password is quoted."""
    config = tmp_path / "agent.toml"
    url = "" if "url =" in table else f'url = "{TARGET}"\n'
    config.write_text(f'collector = "http://c:1"\n[[scrape]]\n{url}{table.format(here=config)}\n')

    with pytest.raises(WrongSetting) as refused:
        load(config, {})

    assert sentence.format(here=config) in refused.value.message
    assert "u:p" not in refused.value.message


@pytest.mark.parametrize("table", ["scrape", "probe"])
def test_a_target_is_given_once(tmp_path, table):
    """Two sources of one name would number different blocks alike."""
    config = tmp_path / "agent.toml"
    config.write_text('collector = "http://c:1"\n' + f'[[{table}]]\nurl = "http://h/m"\n' * 2)

    with pytest.raises(WrongSetting, match=rf"{table}\.url: 'http://h/m' is given twice"):
        load(config, {})


def test_a_probe_takes_no_password(tmp_path):
    """The URL of a probe is shown in logs and labels."""
    config = tmp_path / "agent.toml"
    config.write_text('collector = "http://c:1"\n[[probe]]\nurl = "http://u:p@h/healthz"\n')

    with pytest.raises(WrongSetting, match=r"probe\.url: the URL of 'h' holds credentials"):
        load(config, {})


def test_the_process_says_it_and_exits_2(tmp_path):
    """A wrong combination ends ``check`` with the sentence on standard error."""
    config = tmp_path / "agent.toml"
    config.write_text(f'collector = "http://c:1"\n[[scrape]]\nurl = "{TARGET}"\nusername = "u"\n')

    done = subprocess.run(
        [sys.executable, "-m", "agents", "check", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "scrape.username" in done.stderr
