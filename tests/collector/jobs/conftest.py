from tests.collector.formats.conftest import engine, now_ns, warehouse

__all__ = ["engine", "now_ns", "warehouse"]
