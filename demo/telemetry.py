"""Spans and log lines: the OpenTelemetry SDK and structlog, set up once per process."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

    from demo.settings import ServiceSettings

_LOG_FILE_BYTES = 64 * 1024 * 1024  # an hour and more of the default load; the agent follows the rename
_EXPORT_DELAY_MS = 1000  # a trace should be on the board while the engineer still looks at it


def tracer_provider(settings: ServiceSettings) -> TracerProvider:
    """
    Make the SDK's provider; spans go to ``OTEL_EXPORTER_OTLP_ENDPOINT``/v1/traces in batches each second.

    Returns:
        A provider that still makes valid ids where no endpoint is set, so that lines can carry them.
    """
    provider = TracerProvider(resource=resource(settings))
    if settings.otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces", timeout=5)
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_EXPORT_DELAY_MS))
    return provider


def resource(settings: ServiceSettings) -> Resource:
    """Who speaks; ``OTEL_RESOURCE_ATTRIBUTES`` adds to it."""
    return Resource.create(
        {
            "service.name": settings.spec.name,
            "service.version": settings.version,
            "service.instance.id": settings.instance,
            "deployment.environment.name": settings.env,
            "fuseboard.owner": settings.spec.owner,
            "fuseboard.runbook": settings.spec.runbook,
        }
    )


def logger(service: str, log_file: Path | None) -> structlog.stdlib.BoundLogger:
    """
    Send every line of this process, its libraries' warnings included, as one JSON object to *log_file* or stdout.

    Source: structlog's documentation, "Rendering using structlog-based formatters within logging".
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_span_ids,
    ]
    handler = _handler(log_file)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *shared,
                structlog.stdlib.add_logger_name,
                structlog.processors.format_exc_info,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("shop").setLevel(logging.INFO)
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("shop").bind(service=service)
    return bound


def _handler(log_file: Path | None) -> logging.Handler:
    if log_file is None:
        return logging.StreamHandler(sys.stdout)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    return RotatingFileHandler(log_file, maxBytes=_LOG_FILE_BYTES, backupCount=2, encoding="utf-8")


def _add_span_ids(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Put the current span's ids into *line* unless it brings its own."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line.setdefault("trace_id", f"{context.trace_id:032x}")
        line.setdefault("span_id", f"{context.span_id:016x}")
    return line
