"""docker-compose.yml read against the program."""

from __future__ import annotations

import fnmatch
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
import typer.core

import demo
from agents import __main__ as agent_cli
from agents import settings as agent_settings
from collector import __main__ as collector_cli
from collector import settings as collector_settings
from collector.router import PROBES
from dashboards import __main__ as dashboards_cli
from demo import __main__ as demo_cli
from demo import serving
from demo.settings import ServiceSettings
from demo.topology import SERVICES
from tests.contract import compose
from tests.contract.compose import ROOT

ALL = compose.services()
OURS = {name: service for name, service in ALL.items() if "build" in service}
SHOP = {name: ALL[name] for name in SERVICES}
AGENTS = {name: ALL[f"{name}-agent"] for name in SERVICES}


def settings_of(name: str) -> ServiceSettings:
    """What a shop service's process reads in its container."""
    return ServiceSettings.from_env(name, compose.environment(SHOP[name]))


def test_every_part_of_the_system_is_there() -> None:
    """ClickHouse, collector, dashboards, the load, and each shop service with its sidecar; nothing else."""
    system = {"clickhouse", "migrate", "collector", "dashboards", "load"}
    assert set(ALL) == system | set(SHOP) | {f"{name}-agent" for name in SHOP}


@pytest.mark.parametrize("name", SHOP)
def test_a_sidecar_lives_where_its_service_lives(name: str) -> None:
    """It shares the service's network and processes, and reads the log the service writes."""
    service, agent = SHOP[name], AGENTS[name]
    logs = PurePosixPath(compose.environment(service)["DEMO_LOG_FILE"])
    told = agent_settings.load(None, compose.environment(agent))

    assert agent["network_mode"] == agent["pid"] == f"service:{name}"
    assert compose.mounts(agent)[str(logs.parent)] == compose.mounts(service)[str(logs.parent)]
    assert fnmatch.fnmatch(str(logs), told.files[0].paths[0])
    assert told.scrape[0].url == f"http://127.0.0.1:{settings_of(name).port}/metrics"
    assert told.relay.listen is not None
    assert settings_of(name).otlp_endpoint == "http://{}:{}".format(*told.relay.listen)


@pytest.mark.parametrize("name", SHOP)
def test_a_sidecar_says_whose_bytes_it_ships(name: str) -> None:
    """Name, version, owner and environment are those of the shop's topology."""
    told = agent_settings.load(None, compose.environment(AGENTS[name])).resource
    spec = SERVICES[name]

    assert told["service.name"] == name
    assert told["service.version"] == spec.version
    assert told["fuseboard.owner"] == spec.owner
    assert told["fuseboard.runbook"] == spec.runbook
    assert told["deployment.environment.name"] == settings_of(name).env
    assert told["service.instance.id"] == settings_of(name).instance


@pytest.mark.parametrize("name", SHOP)
def test_services_find_their_neighbours(name: str) -> None:
    """A neighbour's URL is the name of its container and the port it serves on."""
    for target, url in settings_of(name).neighbours.items():
        assert urlsplit(url).hostname == target
        assert urlsplit(url).port == settings_of(target).port
        assert settings_of(target).host == "0.0.0.0"


def test_the_pairs_share_their_sqlite_files() -> None:
    """Catalog and inventory have one database, checkout and notifications one queue, and these are two."""
    folders = {name: compose.mounts(SHOP[name]).get(str(settings_of(name).data_dir)) for name in SHOP}

    assert folders["catalog"] == folders["inventory"] is not None
    assert folders["checkout"] == folders["notifications"] is not None
    assert folders["catalog"] != folders["checkout"]


def test_secrets_come_from_the_environment_and_have_no_default() -> None:
    """Compose refuses to start without them, and none is written in the file."""
    required = {"FUSEBOARD_INGEST_KEY", "FUSEBOARD_READ_KEY", "FUSEBOARD_ADMIN_KEY", "FUSEBOARD_CLICKHOUSE_PASSWORD"}  # fmt: skip
    secrets = [
        (variable, value)
        for service in ALL.values()
        for variable, value in service.get("environment", {}).items()
        if variable.endswith(("_KEY", "_PASSWORD", "_SECRET", "_CLICKHOUSE"))
    ]

    assert set(compose.variables()) == required
    assert all(rest.startswith(":?") for rests in compose.variables().values() for rest in rests)
    assert len(secrets) > len(AGENTS)
    assert all("${" in value for _, value in secrets)


def test_images_are_pinned() -> None:
    """Every image names a version: in the compose file and in the Dockerfile's FROM lines."""
    bases = [rest.split()[0] for stage in compose.stages().values() for word, rest in stage if word == "FROM"]
    outside = [base for base in bases if base not in compose.stages()]
    images = [service["image"] for service in ALL.values()]

    assert all(re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", image) for image in [*outside, *images])


def command_of(name: str) -> Any:
    """The collector's command that a container runs, as typer knows it."""
    group = typer.main.get_command(collector_cli.cli)
    assert isinstance(group, typer.core.TyperGroup)
    return group.commands[name]


@pytest.mark.parametrize("name", OURS)
def test_a_command_is_one_the_program_takes(name: str) -> None:
    """Each entry point exists and its own parser accepts the options."""
    words = [word for word in compose.command(OURS[name]) if word != "restarting"]
    match words:
        case ["fuseboard", command, *options]:
            assert command_of(command).make_context(command, options).params
        case ["fuseboard-agent", *options]:
            assert agent_cli._parse(options).command is None
        case ["python", "-m", "dashboards", *options]:
            assert dashboards_cli._parser().parse_args(options).collector == "http://collector:4318"
        case ["python", "-m", "demo", *options]:
            assert demo_cli._parser().parse_args(options).run
        case _:
            pytest.fail(f"nobody knows {words}")


@pytest.mark.parametrize("name", ["migrate", "collector"])
def test_the_collectors_settings_are_settings(name: str) -> None:
    """Names and values are taken by the program that gets them, keys beyond loopback included."""
    command, *options = OURS[name]["command"]
    params = command_of(command).make_context(command, options).params

    told = collector_settings.load(params.pop("config"), params, compose.environment(ALL[name]))

    assert told.clickhouse is not None
    assert urlsplit(told.clickhouse.get_secret_value()).hostname == "clickhouse"


def test_agents_reach_the_collector_by_a_name_it_goes_by() -> None:
    """The collector listens where sidecars and dashboards call it, and answers to that name."""
    told = collector_settings.load(None, {}, compose.environment(ALL["collector"]))
    for agent in AGENTS.values():
        (url,) = agent_settings.load(None, compose.environment(agent)).collector
        assert urlsplit(url).hostname in told.allowed_hosts
        assert urlsplit(url).port == told.port


@pytest.mark.parametrize("name", SHOP)
def test_the_shops_variables_are_documented(name: str) -> None:
    """Each stands in the table of the package's docstring; one misspelt would be silently ignored."""
    assert all(f"``{variable}``" in str(demo.__doc__) for variable in compose.environment(SHOP[name]))


def test_the_dashboards_get_no_key_that_lets_every_visitor_in() -> None:
    """Beyond loopback each visitor brings a read key: the program refuses a key of its own there."""
    assert dashboards_cli.KEY_VARIABLE not in ALL["dashboards"].get("environment", {})


def test_what_the_images_are_built_from_is_there() -> None:
    """Each COPY finds its source, and .dockerignore lets it through."""
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    sources = [path.removeprefix("./") for path in compose.copied()]

    assert [path for path in sources if not (ROOT / path).exists()] == []
    assert set(sources) == let_through


def test_targets_are_stages_of_the_dockerfile() -> None:
    """Each build names the one Dockerfile and a stage of it; one image, one target."""
    builds = {(service["image"], service["build"]["target"]) for service in OURS.values()}

    assert all(service["build"]["dockerfile"] == "docker/Dockerfile" for service in OURS.values())
    assert {target for _, target in builds} <= set(compose.stages())
    assert len({image for image, _ in builds}) == len(builds)


def test_volumes_are_declared_and_belong_to_our_user() -> None:
    """Every named volume is declared and used; it is mounted where the images made a directory for their user."""
    made = " ".join(rest for word, rest in compose.stages()["base"] if word == "RUN")
    named = [(path, volume) for service in ALL.values() for path, volume in compose.mounts(service).items()]
    ours = {path for service in OURS.values() for path, v in compose.mounts(service).items() if "/" not in v}

    assert {volume for _, volume in named if "/" not in volume} == compose.named_volumes()
    assert all(path in made.split() for path in ours)
    assert all((ROOT / volume).exists() for _, volume in named if "/" in volume)


def test_health_checks_ask_what_answers() -> None:
    """Port and path of each health check are served by the program in that container."""
    agent = agent_settings.load(None, compose.environment(AGENTS["payment"]))
    port, icon = compose.health_url(ALL["dashboards"])
    shop = [compose.health_url(service) for service in SHOP.values()]

    assert compose.health_url(ALL["collector"]) == (4318, "/readyz")
    assert "/readyz" in PROBES
    assert str(port) in ALL["dashboards"]["command"]
    assert (ROOT / "dashboards" / icon.lstrip("/")).is_file()
    assert {compose.health_url(sidecar) for sidecar in AGENTS.values()} == {(4319, "/metrics")}
    assert agent.metrics_listen == ("127.0.0.1", 4319)
    assert set(shop) == {(settings_of("payment").port, "/healthz")}
    assert 'Route("/healthz"' in (ROOT / str(serving.__file__)).read_text()


def test_everything_restarts_and_waits_for_what_it_needs() -> None:
    """Every container but the migration has a restart policy; what is waited for healthy has a health check."""
    for name, service in ALL.items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
        for needed, how in service.get("depends_on", {}).items():
            assert needed in ALL
            assert how["condition"] != "service_healthy" or "healthcheck" in ALL[needed]
    assert ALL["collector"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_nothing_is_published_beyond_this_machine() -> None:
    """Published ports are bound to loopback."""
    published = [port for service in ALL.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
