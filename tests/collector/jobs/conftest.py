from tests.collector.formats.conftest import now_ns, warehouse

__all__ = ["now_ns", "warehouse"]
