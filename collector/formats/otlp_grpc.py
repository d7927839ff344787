"""
OTLP over gRPC: the three Export methods, their request's bytes taken as they came into the same way as ``POST /v1/…``.

No stubs and no message objects: a generic handler hands over raw bytes, the protocol of the path judges and journals them. Metadata are the
headers: ``authorization``, ``idempotency-key``, ``fuseboard-resource``. An error is a gRPC status whose details begin with our slug; one that
may be tried again carries google.rpc.RetryInfo, in ``grpc-status-details-bin`` and, for SDKs that look there, in ``google.rpc.retryinfo-bin``.
gzip is undone by gRPC; a message over ``body_bytes`` is refused by it with RESOURCE_EXHAUSTED and no RetryInfo: do not send it again.

Runs in the event loop of the HTTP server. Needs the extra ``grpc``.

Source: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import grpc
import structlog

from collector.errors import FuseboardError, Refused
from collector.formats.otlp import CONTENT_TYPE, rpc_code
from collector.journal.envelope import varint
from collector.receive.app import Receiver
from collector.receive.protocol import Protocol

log = structlog.get_logger()

# Seconds that ending waits for calls that were begun: what the HTTP server gives its requests.
_GRACE_S = 5.0
_SIGNALS = {"logs": "Logs", "traces": "Trace", "metrics": "Metrics"}
_CODES = {code.value[0]: code for code in grpc.StatusCode}

Call = Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]


class GrpcServer:
    """
    The server of the three methods.

    Args:
        receiver: Takes the bytes.
        protocols: All of them; those of OTLP as Protobuf are served.
        host: Address to listen on.
        port: Not 0.
        body_bytes: Of a message.
    """

    def __init__(
        self, receiver: Receiver, protocols: Sequence[Protocol], host: str, port: int, body_bytes: int
    ) -> None:
        self._receiver = receiver
        self._served = [
            p
            for p in protocols
            if CONTENT_TYPE in p.content_types and p.signal in _SIGNALS and p.paths[0] == f"/v1/{p.signal}"
        ]
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._options = [
            ("grpc.max_receive_message_length", body_bytes),
            ("grpc.so_reuseport", 0),  # two collectors on one port would share its calls between them
        ]
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """
        Listen.

        Raises:
            OSError: The address is taken.
        """
        server = grpc.aio.server(options=self._options)
        server.add_generic_rpc_handlers([self._handler(protocol) for protocol in self._served])
        try:
            server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise OSError(f"grpc_port: cannot listen on {self._address}: {error}") from error
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Take no new call, finish those that were begun."""
        if self._server is not None:
            await self._server.stop(_GRACE_S)

    def _handler(self, protocol: Protocol) -> grpc.GenericRpcHandler:
        name = _SIGNALS[protocol.signal]
        service = f"opentelemetry.proto.collector.{protocol.signal.removesuffix('s') if name == 'Trace' else protocol.signal}.v1.{name}Service"
        return grpc.method_handlers_generic_handler(
            service, {"Export": grpc.unary_unary_rpc_method_handler(self._export(protocol))}
        )

    def _export(self, protocol: Protocol) -> Call:
        async def export(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
            try:
                response = await self._receiver.take(protocol, protocol.paths[0], _headers(context), body)
            except FuseboardError as error:
                code, trailer = _CODES[rpc_code(error)], _trailer(error)
                await context.abort(code, f"{error.code}: {error.message}", trailer)
            if "fuseboard-duplicate" in response.headers:
                context.set_trailing_metadata((("fuseboard-duplicate", "true"),))
            return response.body

        return export


def _headers(context: grpc.aio.ServicerContext) -> Mapping[bytes, bytes]:
    """Return the call's metadata as HTTP headers; a body is never encoded here, gRPC has undone it."""
    told = {
        key.encode(): value.encode() if isinstance(value, str) else value
        for key, value in context.invocation_metadata()
    }
    told.pop(b"content-encoding", None)
    return told


def _trailer(error: FuseboardError) -> tuple[tuple[str, bytes], ...]:
    """Return RetryInfo for an error that may pass, as a google.rpc.Status and by itself; nothing for others."""
    if not isinstance(error, Refused):
        return ()
    seconds = b"\x08" + varint(max(1, round(error.retry_after_s)))
    retry = b"\x0a" + varint(len(seconds)) + seconds
    any_ = _text(1, b"type.googleapis.com/google.rpc.RetryInfo") + _text(2, retry)
    status = (
        b"\x08"
        + varint(rpc_code(error))
        + _text(2, f"{error.code}: {error.message}".encode())
        + _text(3, any_)
    )
    return (("grpc-status-details-bin", status), ("google.rpc.retryinfo-bin", retry))


def _text(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value
