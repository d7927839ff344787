"""Size and age: the bounds hold strictly, and what is shed is counted exactly and never what a collector may have."""

import itertools
import json

import pytest

from agents.block import Block, Position
from agents.errors import NoRoom
from agents.keeper import Keeper
from agents.ledger import SENT_AHEAD
from tests.agents.blocks import FILE, MARK, killed, opened, put, shipped

MAX = 1 << 18
FRAME = 5000


@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest"])
@pytest.mark.parametrize("in_flight", [0, 2])
def test_the_bound_holds_under_overload(tmp_path, when_full, in_flight):
    """Ten times what fits, the collector away: never more than the bound and a frame, nobody waits, every block is counted."""
    spool, ledger = opened(tmp_path, MAX, when_full)
    put(spool, 0, 1, size=4000)
    held = [spool.claim(0.0) for _ in range(in_flight)]
    highest = 0
    for number in range(2, 700):
        put(spool, number, size=4000)
        highest = max(highest, sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()))
    for head, _ in held:
        ledger.shipped(head, duplicate=False)
    keys = shipped(spool, ledger)
    counters = ledger.counters().counters[FILE]

    assert highest <= MAX + FRAME
    assert counters.read_blocks == 700
    assert counters.dropped["spool_full"][:2] == [
        700 - len(keys) - in_flight,
        (700 - len(keys) - in_flight) * 4000,
    ]
    assert len(keys) * 4000 > MAX * 0.75
    assert keys[-1] == ("key-699" if when_full == "drop_oldest" else keys[-1])
    killed(spool)


def test_blocks_that_processors_emptied_do_not_break_the_bound(tmp_path):
    """A full spool and nothing but filtered lines: each is counted, also over a kill, and no byte is added beyond the bound."""
    spool, _ = opened(tmp_path, 1 << 16, "block")
    start = 4000 * filled(spool)
    for step in range(300):
        position = Position("g", start + step * 100, start + (step + 1) * 100, MARK)
        spool.append(Block(FILE, "/v1/lines", f"k{step}", position, b"", shed={"filtered": (2, 100)}))
        spool.sync()
    used = spool.used_bytes()
    killed(spool)

    _, books = opened(tmp_path, 1 << 16)
    counters = books.counters().counters[FILE]
    assert used <= (1 << 16) + FRAME
    assert counters.dropped["filtered"] == [300, 30_000, 600]
    assert books.files()["g"].offset == start + 30_000


def filled(spool):
    """Append blocks until there is no room; how many there was room for."""
    for number in itertools.count():
        try:
            put(spool, number, size=4000)
        except NoRoom:
            return number
    return 0


def test_drop_oldest_sheds_no_earlier_than_it_must(tmp_path):
    """As long as a block fits, nothing is shed; what has been shipped goes before anything that waits."""
    spool, ledger = opened(tmp_path, MAX, "drop_oldest")
    fitting = range(MAX * 15 // 16 // 4500)
    put(spool, *fitting, size=4000)
    shipped(spool, ledger, 40)
    put(spool, *range(len(fitting), len(fitting) + 25), size=4000)

    assert ledger.counters().counters[FILE].dropped == {}
    killed(spool)


def test_old_blocks_are_dropped_as_too_old(tmp_path):
    """Beyond ``max_age_s``: counted in blocks, bytes and lines; younger ones stay, and the one being sent stays."""
    spool, ledger = opened(tmp_path, max_age_s=60)
    put(spool, 0, 1, 2)
    sending, _ = spool.claim(0.0)
    spool.shed_old(sending.at + 30)
    kept = ledger.counters().counters[FILE].dropped
    spool.shed_old(sending.at + 90)

    counters = ledger.counters().counters[FILE]
    assert kept == {}
    assert counters.dropped["too_old"][:2] == [2, 2000]
    assert counters.spooled() == (1, 1000)
    assert spool.claim(0.0) is None
    killed(spool)


def test_age_spares_what_a_collector_may_have(tmp_path):
    """Sent before the kill, fate unknown: it is sent again however old it is; what was never sent is dropped."""
    spool, _ = opened(tmp_path, max_age_s=60)
    count = SENT_AHEAD + 3
    put(spool, *range(count), size=10)
    head, _ = spool.claim(0.0)
    killed(spool)

    again, books = opened(tmp_path, max_age_s=60)
    again.shed_old(head.at + 3600)
    keys = shipped(again, books)

    assert keys == [f"key-{number}" for number in range(SENT_AHEAD + 1)]
    assert books.counters().counters[FILE].dropped["too_old"][0] == count - len(keys)
    killed(again)


def test_drop_oldest_spares_what_a_collector_may_have(tmp_path):
    """After a kill the first blocks may be stored already: they are sent again, and later ones are shed."""
    spool, _ = opened(tmp_path, MAX, "drop_oldest")
    put(spool, *range(50), size=4000)
    spool.claim(0.0)
    spool._ledger._books.sent_through = 5
    spool._ledger.save(anew=True)
    killed(spool)

    again, books = opened(tmp_path, MAX, "drop_oldest")
    for number in range(50, 120):
        put(again, number, size=4000)
    keys = shipped(again, books)

    assert keys[:5] == [f"key-{number}" for number in range(5)]
    assert books.counters().counters[FILE].dropped["spool_full"][0] == 120 - len(keys)
    killed(again)


def test_the_keeper_drops_old_blocks_while_the_collector_is_away(tmp_path):
    """Nobody claims anything: the keeper's pass sheds what is too old, and its space comes back."""
    spool, ledger = opened(tmp_path, 1 << 20, max_age_s=1e-9)
    put(spool, *range(40), size=4000)
    keeper = Keeper(ledger, spool)
    keeper.keep()
    keeper.keep()

    assert ledger.counters().counters[FILE].dropped["too_old"][0] == 40
    assert spool.used_bytes() < 80_000
    killed(spool)


@pytest.mark.parametrize("slot", ["checkpoint.json", "checkpoint.json.1"])
@pytest.mark.parametrize("damage", ["delete", "flip", "zero", "cut"])
def test_a_damaged_checkpoint_costs_nothing(tmp_path, slot, damage):
    """Whichever of the two is hurt: no block comes twice, none is missing, no file is read again, and it is said and counted."""
    spool, ledger = opened(tmp_path, 1 << 20)
    keeper = Keeper(ledger, spool)
    put(spool, *range(40), size=4000)
    shipped(spool, ledger, 30)
    keeper.keep()
    put(spool, *range(40, 45), size=4000)
    shipped(spool, ledger, 5)
    keeper.keep()
    killed(spool)
    path = tmp_path / slot
    data = path.read_bytes()
    newer = (
        json.loads(data)["books"]["saves"]
        > json.loads((tmp_path / other(slot)).read_bytes())["books"]["saves"]
    )
    if damage == "delete":
        path.unlink()
    else:
        hurt = {"flip": data[:50] + b"#" + data[51:], "zero": bytes(len(data)), "cut": data[:100]}
        path.write_bytes(hurt[damage])

    again, books = opened(tmp_path, 1 << 20)
    keys = shipped(again, books)

    assert set(keys) >= {f"key-{number}" for number in range(35, 45)}
    assert keys == [f"key-{number}" for number in range(45 - len(keys), 45)]
    assert newer or len(keys) == 10
    assert books.files()["g"].offset == 45 * 4000
    assert books.agent == ledger.agent
    assert books.counters().fallbacks == 1
    assert books.counters().counters[FILE].spooled() == (0, 0)
    assert "corrupt" not in books.counters().counters[FILE].dropped
    killed(again)


def other(slot):
    """The other of the two files."""
    return "checkpoint.json.1" if slot == "checkpoint.json" else "checkpoint.json"


def test_without_any_checkpoint_the_agent_begins_anew_and_says_so(tmp_path, capfd):
    """Both damaged: what the spool holds is shipped, what could not be read is kept, the loss is said and counted."""
    spool, ledger = opened(tmp_path)
    put(spool, 0, 1)
    ledger.save()
    killed(spool)
    for name in ("checkpoint.json", "checkpoint.json.1"):
        (tmp_path / name).write_bytes(b"{}")

    again, books = opened(tmp_path)

    assert books.agent != ledger.agent
    assert shipped(again, books) == ["key-0", "key-1"]
    assert books.files()["g"].offset == 2000
    assert books.counters().fallbacks == 1
    assert sorted(path.name for path in tmp_path.glob("*.damaged")) == [
        "checkpoint.json.1.damaged",
        "checkpoint.json.damaged",
    ]
    assert capfd.readouterr().err.count("checkpoint_lost") == 2
    killed(again)
