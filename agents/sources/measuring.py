"""
The sources that measure (scrape, probe, container, node): made of the settings, and kept over a reload that does not concern them.

Starting one anew is not free: the series of a scraped target would be ended, and a service's health would be unknown for a while.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from agents.intake import Intake
from agents.ledger import Ledger
from agents.settings_values import ContainerSettings, NodeSettings, ProbeSettings, ScrapeSettings, Settings
from agents.sources import Origin, Source

INSTANCE = "service.instance.id"
One = ScrapeSettings | ProbeSettings | ContainerSettings | NodeSettings


def asked(settings: Settings) -> list[One]:
    """List what is to be measured."""
    alone = [one for one in (settings.container, settings.node) if one.enabled]
    return [*settings.scrape, *settings.probe, *alone]


def wanted(settings: Settings, origin: Origin) -> list[tuple[One, Origin]]:
    """
    List what is to be measured, and for whom.

    A target that is alone is the service beside us, its instance included. Several are told apart by their addresses, as Prometheus does:
    two of them may well expose a series of the same name and labels.
    """
    several = len(settings.scrape) > 1
    return [
        (one, origin.with_resource({INSTANCE: place(one.url)}))
        if isinstance(one, ScrapeSettings) and several
        else (one, origin)
        for one in asked(settings)
    ]


def kept(sources: Iterable[Source], settings: Settings, origin: Origin) -> list[Source]:
    """Pick the running sources that *settings* ask for as they are."""
    as_they_are = wanted(settings, origin)
    return [source for source in sources if getattr(source, "made_of", None) in as_they_are]


def sources(
    settings: Settings, origin: Origin, intake: Intake, ledger: Ledger, running: Sequence[Source]
) -> list[Source]:
    """Give a source for all that is asked for: the *running* one, else a new one."""
    by = [(getattr(source, "made_of", None), source) for source in running]
    found: list[Source] = []
    for one, owner in wanted(settings, origin):
        same = next((source for made_of, source in by if made_of == (one, owner)), None)
        found.append(same or _made(one, owner, intake, ledger))
    return found


def _made(one: One, origin: Origin, intake: Intake, ledger: Ledger) -> Source:
    """Make one; the modules of the others are not even imported (resident memory)."""
    if isinstance(one, ScrapeSettings):
        from agents.sources.scrape import ScrapeSource

        return ScrapeSource(one, origin, intake, ledger)
    if isinstance(one, ProbeSettings):
        from agents.sources.probe import ProbeSource

        return ProbeSource(one, origin, intake, ledger)
    if isinstance(one, ContainerSettings):
        from agents.sources.container import ContainerSource

        return ContainerSource(one, origin, intake, ledger)
    from agents.sources.node import NodeSource

    return NodeSource(one, origin, intake, ledger)


def place(url: str) -> str:
    """Give host and port as they are written in *url*, without a password: Prometheus' ``instance``."""
    return urlsplit(url).netloc.rpartition("@")[2]
