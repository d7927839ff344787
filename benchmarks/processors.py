"""
What each processor costs: MB/s, and CPU-seconds per million lines of ≈ 400 bytes.

    python benchmarks/processors.py [--blocks 60]

One thread takes blocks of 1 MiB of the agent benchmark's lines through one processor at a time, in this process. Baseline, in
the same run: compressing the same blocks with zstd level 1, which every block pays anyway; the ratio is the processor's time
over that.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backports import zstd

from agents.processors import Redactions, Tally
from agents.processors.shaper import Shaper, shapers
from agents.settings import load
from benchmarks.agent import generated

PREFIX = "FUSEBOARD_AGENT_"
LINES = 2600
CASES: dict[str, dict[str, str]] = {
    "fold tracebacks (auto)": {"multiline": "auto"},
    "fold by expression, all lines begin a record": {"multiline_start": r"^\{"},
    "fold by expression, every fourth begins one": {"multiline_start": r'"level": "error"|"warning"'},
    "redact tokens": {"REDACT_PRESETS": "tokens"},
    "redact cards": {"REDACT_PRESETS": "cards"},
    "redact emails": {"REDACT_PRESETS": "emails"},
    "redact jwts": {"REDACT_PRESETS": "jwts"},
    "redact cloud_keys": {"REDACT_PRESETS": "cloud_keys"},
    "redact all presets": {"REDACT_PRESETS": "tokens,cards,emails,jwts,cloud_keys"},
    "redact one key, in no line": {"REDACT_KEYS": "ssn"},
    "redact one key, in every line": {"REDACT_KEYS": "user"},
    "redact a pattern with text, in no line": {"REDACT_PATTERNS": r"card-\d+"},
    "redact a pattern with text, in every line": {"REDACT_PATTERNS": r"customer \d+"},
    "redact a pattern without text": {"REDACT_PATTERNS": r"\b\d{16}\b"},
    "exclude, text in no line": {"FILTER_EXCLUDE": "GET /healthz"},
    "exclude, a fifth of the lines": {"FILTER_EXCLUDE": r'"level": "error"'},
    "include, text in every line": {"FILTER_INCLUDE": r"order \d+ of"},
    "exclude without text": {"FILTER_EXCLUDE": r"\b5\d\d\b.*\b9\d\d\d\b"},
    "sample 10 % of info": {"SAMPLE_INFO": "0.1"},
    "limit, under the rate": {"LIMIT_LINES_PER_S": "100000000"},
    "limit, over the rate": {"LIMIT_LINES_PER_S": "1000"},
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blocks", type=int, default=60)
    count = parser.parse_args().blocks
    blocks = list(made(count))
    size = sum(map(len, blocks))
    compressor = zstd.ZstdCompressor(level=1)
    floor = seconds(lambda block: compressor.compress(block, mode=zstd.ZstdCompressor.FLUSH_FRAME), blocks)
    show("zstd level 1 (baseline)", floor, floor, size, count)
    for name, case in CASES.items():
        shaper = shaper_of(case)
        show(name, seconds(lambda block, shaper=shaper: shaper(block, Tally()), blocks), floor, size, count)
    return 0


def made(count: int) -> Iterator[bytes]:
    """Make blocks of ≈ 1 MiB, all different."""
    for number in range(count):
        yield b"".join(generated(LINES, seed=number))


def shaper_of(case: dict[str, str]) -> Shaper:
    """Make the shaper that only does what *case* says."""
    environ = {PREFIX + name: value for name, value in case.items() if name.isupper()}
    settings = load(None, environ | {PREFIX + "COLLECTOR": "http://127.0.0.1:1"})
    make = shapers(settings, Redactions())
    return make("json", case.get("multiline", "off"), case.get("multiline_start"))


def seconds(process: Callable[[bytes], object], blocks: list[bytes]) -> float:
    """Give the CPU-seconds of all blocks, the better of two rounds."""
    rounds = []
    for _ in range(2):
        began = time.process_time()
        for block in blocks:
            process(block)
        rounds.append(time.process_time() - began)
    return min(rounds)


def show(name: str, spent: float, floor: float, size: int, count: int) -> None:
    """Print one row."""
    per_million = spent * 1e6 / (LINES * count)
    print(f"| {name} | {size / spent / 1e6:,.0f} | {per_million:.2f} | {spent / floor:.2f} |")


if __name__ == "__main__":
    sys.exit(main())
