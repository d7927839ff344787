"""The ways in besides HTTP: OTLP over gRPC, syslog, forward. They live in the HTTP server's event loop and end before the journal does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry

from collector.errors import FuseboardError
from collector.formats import registry as formats
from collector.formats.fluent_forward.listener import FluentServer
from collector.formats.syslog.listener import SyslogServer
from collector.metrics import FluentMetrics, SyslogMetrics
from collector.receive.app import Receiver
from collector.receive.decompress import Limits
from collector.settings import Settings

if TYPE_CHECKING:
    from collector.formats.otlp_grpc import GrpcServer

log = structlog.get_logger()


class Listeners:
    """
    Those that *settings* ask for, not yet listening.

    Args:
        settings: Ports.
        receiver: Takes what comes.
        metrics: Where theirs are declared.

    Raises:
        FuseboardError: ``bad_setting``: gRPC is asked for and its extra is not installed.
    """

    def __init__(self, settings: Settings, receiver: Receiver, metrics: CollectorRegistry) -> None:
        self._settings = settings
        self._grpc = _grpc(settings, receiver)
        self._syslog = _syslog(settings, receiver, metrics)
        self._fluent = _fluent(settings, receiver, metrics)

    async def start(self) -> None:
        """
        Listen.

        Raises:
            OSError: A port that was asked for is taken; gRPC's default one is left to whoever has it, with a line in the log.
        """
        if self._syslog is not None:
            await self._syslog.start()
        if self._fluent is not None:
            await self._fluent.start()
        if self._grpc is None:
            return
        try:
            await self._grpc.start()
        except OSError as error:
            if "grpc_port" in self._settings.model_fields_set:
                raise
            log.warning("grpc_off", reason=str(error))

    async def stop(self) -> None:
        """Take nothing more; what was begun is finished."""
        if self._grpc is not None:
            await self._grpc.stop()
        if self._syslog is not None:
            await self._syslog.stop()
        if self._fluent is not None:
            await self._fluent.stop()


def _syslog(settings: Settings, receiver: Receiver, metrics: CollectorRegistry) -> SyslogServer | None:
    if settings.syslog_port == 0:
        return None
    key = settings.syslog_key.get_secret_value() if settings.syslog_key else ""
    return SyslogServer(receiver, settings.host, settings.syslog_port, key, SyslogMetrics(metrics))


def _fluent(settings: Settings, receiver: Receiver, metrics: CollectorRegistry) -> FluentServer | None:
    if settings.fluent_port == 0:
        return None
    key, shared = (
        secret.get_secret_value() if secret else ""
        for secret in (settings.fluent_key, settings.fluent_shared_key)
    )
    limits = Limits(settings.body_bytes, settings.decoded_bytes, settings.ratio)
    address = (settings.host, settings.fluent_port)
    return FluentServer(receiver, address, key, shared, limits, FluentMetrics(metrics))


def _grpc(settings: Settings, receiver: Receiver) -> GrpcServer | None:
    """Without the extra the default port is left closed, with a line in the log."""
    if settings.grpc_port == 0:
        return None
    try:
        from collector.formats.otlp_grpc import GrpcServer
    except ImportError as error:
        if "grpc_port" in settings.model_fields_set:
            raise FuseboardError(
                "bad_setting",
                f"grpc_port: {settings.grpc_port} needs the extra 'grpc' (pip install 'fuseboard[grpc]'); 0 turns OTLP over gRPC off",
                "grpc_port",
            ) from error
        log.info("grpc_off", reason="the extra 'grpc' is not installed")
        return None
    return GrpcServer(receiver, formats.PROTOCOLS, settings.host, settings.grpc_port, settings.body_bytes)
