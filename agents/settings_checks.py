"""What no single key can tell: settings that only make sense, or no sense, together, and files that must be there."""

from pathlib import Path
from urllib.parse import urlsplit

from agents.access import check_tls
from agents.errors import WrongSetting
from agents.settings_values import ScrapeSettings, Settings


def check(settings: Settings) -> None:
    """
    Refuse what cannot work.

    Raises:
        WrongSetting: A password in a URL, a target given twice, credentials that contradict each other, a certificate without its key, TLS files
            that cannot be read or that no TLS will use.
    """
    _way_to_collectors(settings)
    _own_addresses(settings)
    for scrape in settings.scrape:
        _no_password("scrape.url", scrape.url)
        _one_identity(scrape)
        _whole_tls(scrape)
    for probe in settings.probe:
        _no_password("probe.url", probe.url)
    _each_once("scrape.url", [scrape.url for scrape in settings.scrape])
    _each_once("probe.url", [probe.url for probe in settings.probe])


def _way_to_collectors(settings: Settings) -> None:
    for collector in settings.collector:
        if "@" in urlsplit(collector).netloc:
            host = urlsplit(collector).netloc.rpartition("@")[2]
            raise WrongSetting("collector", f"the URL of {host!r} holds credentials: a collector takes a key")
    if settings.proxy is not None and not settings.proxy.startswith("http://"):
        scheme = urlsplit(settings.proxy).scheme
        raise WrongSetting("proxy", f"{scheme!r} is not spoken to a proxy: give http://host:port")
    given = [name for name in ("ca_file", "cert_file", "key_file") if getattr(settings.tls, name) is not None]
    if given and not any(collector.startswith("https:") for collector in settings.collector):
        file = str(getattr(settings.tls, given[0]))
        raise WrongSetting(f"tls.{given[0]}", f"{file!r} is of no use: no collector is https")
    check_tls(settings.tls)


def _own_addresses(settings: Settings) -> None:
    address = settings.relay.listen
    if address is not None and address[1] and address == settings.metrics_listen:
        raise WrongSetting(
            "metrics_listen", f"'{address[0]}:{address[1]}' is the relay's address: give another port"
        )


def _no_password(setting: str, url: str) -> None:
    if "@" in urlsplit(url).netloc:
        host = urlsplit(url).netloc.rpartition("@")[2]
        raise WrongSetting(
            setting,
            f"the URL of {host!r} holds credentials, which would be shown wherever the target is named: "
            "a scrape takes username and password_file, a probe none",
        )


def _each_once(setting: str, urls: list[str]) -> None:
    """Refuse a target that is there twice: its blocks are numbered, and two would give different blocks one number."""
    for url in urls:
        if urls.count(url) > 1:
            raise WrongSetting(setting, f"{url!r} is given twice")


def _one_identity(scrape: ScrapeSettings) -> None:
    password = _one_of("scrape.password", scrape.password, scrape.password_file)
    bearer = _one_of("scrape.bearer_token", scrape.bearer_token, scrape.bearer_token_file)
    if scrape.username is not None and not password:
        raise WrongSetting(
            "scrape.username", f"{scrape.username!r} has no password: set scrape.password_file"
        )
    if password and scrape.username is None:
        raise WrongSetting("scrape.password", "is set without scrape.username")
    if password and bearer:
        raise WrongSetting(
            "scrape.bearer_token", "is set beside scrape.username; a request carries one of them"
        )
    token = scrape.bearer_token
    if token is not None and not (token.isascii() and token.isprintable()):
        raise WrongSetting("scrape.bearer_token", "holds what no header can carry; give printable ASCII")


def _one_of(setting: str, value: str | None, file: Path | None) -> bool:
    if value is not None and file is not None:
        raise WrongSetting(setting, f"is set beside {setting}_file; give one of them")
    return value is not None or file is not None


def _whole_tls(scrape: ScrapeSettings) -> None:
    files = {
        name: file
        for name in ("ca_file", "cert_file", "key_file")
        if (file := getattr(scrape, name)) is not None
    }
    for name, file in files.items():
        if not scrape.url.startswith("https:"):
            raise WrongSetting(f"scrape.{name}", f"{str(file)!r} is of no use: {scrape.url!r} is not https")
        _readable(f"scrape.{name}", file)
    if ("cert_file" in files) != ("key_file" in files):
        alone, missing = ("cert_file", "key_file") if "cert_file" in files else ("key_file", "cert_file")
        raise WrongSetting(f"scrape.{alone}", f"{str(files[alone])!r} is set without scrape.{missing}")


def _readable(setting: str, file: Path) -> None:
    try:
        with file.open("rb"):
            return
    except OSError as error:
        raise WrongSetting(setting, f"{str(file)!r} cannot be read: {error}") from error
