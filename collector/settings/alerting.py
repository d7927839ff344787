"""What is looked at by itself, how often, and who is told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from collector.settings.frozen import Subject
from collector.settings.receivers import HeartbeatSettings, ReceiverSettings
from collector.settings.routing import InhibitSettings, RouteSettings


class AlertingFields(Subject):
    """The catalogue, rules and their times, receivers and routes, incidents, the canary."""

    catalogue_file: Path | None = Field(
        None, description="Path of catalogue.yaml: owners, runbooks, links by service."
    )
    rule_files: tuple[str, ...] = Field((), description="Paths or globs of alert rule files.")
    receivers: tuple[ReceiverSettings, ...] = Field((), description="Where alerts go.")
    heartbeat: HeartbeatSettings | None = Field(
        None, description="A sign of life while alerts are evaluated, for a dead-man's switch elsewhere."
    )
    route: tuple[RouteSettings, ...] = Field(
        (), description="Who is told of which alerts, grouped how; none = every receiver, each alert at once."
    )
    inhibit: tuple[InhibitSettings, ...] = Field(
        (), description="Which alerts nobody is told of while which others fire."
    )
    topology_inhibition: bool | None = Field(
        None,
        description="Tell nobody of callers' alerts while the alert of what they depend on is told; unset = with routes.",
    )
    incident_severities: tuple[str, ...] = Field(
        ("page", "critical"), description="Values of the label 'severity' whose alerts open incidents."
    )
    incident_reopen_s: float = Field(
        1800.0,
        ge=0,
        le=604800,
        description="Seconds after its end within which another page of the same root opens an incident again.",
    )
    flap_damping: bool | None = Field(
        None, description="Tell once of an alert that comes and goes; unset = with routes."
    )

    default_rules: bool = Field(
        default=True, description="Whether Fuseboard's own rules are there beside those of rule_files."
    )
    evaluation_interval_s: float = Field(
        1.0, gt=0, le=300, description="Seconds between looks at the breakers' states."
    )
    rule_interval_s: float = Field(
        15.0,
        ge=1,
        le=86_400,
        description="Seconds between evaluations of a group of rules that does not say.",
    )
    # A line is searchable two seconds after its 2xx, and agents and scrapes take some themselves.
    rule_offset_s: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="Seconds before its evaluation that what a rule sees ends, of a group without query_offset: data comes late.",
    )
    rule_queries: int = Field(4, ge=1, le=64, description="Questions of rules that run at once.")
    no_data_ends_s: float = Field(
        604_800.0,
        ge=0,
        description="Seconds without any word of what an alert is about after which it ends; 0 = never.",
    )
    external_labels: dict[str, str] = Field(
        {}, description="$externalLabels of templates in rule files, by name."
    )
    egress_allow: tuple[str, ...] = Field(
        (), description="Hosts and networks webhooks may go to; empty = any public address."
    )
    public_url: str | None = Field(
        None, description="Where people open the dashboards; the base of links in alerts."
    )
    # A number costs some 0.4 CPU-seconds, engine included: it is two thirds of what an idle collector does at 30 s.
    canary_interval_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description="Seconds between lines that the collector sends itself to see whether any is lost; 0 = none.",
    )
