from tests.collector.read.real_store import store

__all__ = ["store"]
