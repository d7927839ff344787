"""
The sources that measure (scrape, probe, container, node): made of the settings, and kept over a reload that does not concern them.

Starting one anew is not free: the series of a scraped target would be ended, and a service's health would be unknown for a while.
"""

from collections.abc import Iterable, Sequence

from agents.intake import Intake
from agents.ledger import Ledger
from agents.settings_values import ContainerSettings, NodeSettings, ProbeSettings, ScrapeSettings, Settings
from agents.sources import Origin, Source

One = ScrapeSettings | ProbeSettings | ContainerSettings | NodeSettings


def asked(settings: Settings) -> list[One]:
    """List what is to be measured."""
    alone = [one for one in (settings.container, settings.node) if one.enabled]
    return [*settings.scrape, *settings.probe, *alone]


def kept(sources: Iterable[Source], settings: Settings, origin: Origin) -> list[Source]:
    """Pick the running sources that *settings* ask for as they are."""
    wanted = [(one, origin) for one in asked(settings)]
    return [source for source in sources if getattr(source, "made_of", None) in wanted]


def sources(
    settings: Settings, origin: Origin, intake: Intake, ledger: Ledger, running: Sequence[Source]
) -> list[Source]:
    """Give a source for all that is asked for: the *running* one, else a new one."""
    by = [(getattr(source, "made_of", None), source) for source in running]
    found: list[Source] = []
    for one in asked(settings):
        same = next((source for made_of, source in by if made_of == (one, origin)), None)
        found.append(same or _made(one, origin, intake, ledger))
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
