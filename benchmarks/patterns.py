"""
How well and how fast templates are found: grouping accuracy on labelled messages, seconds per million records.

    python benchmarks/patterns.py [--rows 1000000] [--seed 7]

The messages are made here, family by family, the way well-known programs word theirs (sshd, a block store, a web proxy, a database,
a JVM's pool, a kernel, a mail server, a broker, a scheduler, a shop's services): each knows which statement wrote it. Grouping
accuracy is the share of messages that are together with exactly those of their own statement (Zhu et al., "Tools and
Benchmarks for Automated Log Parsing", 2019). drain3 is the baseline where it is installed; it is fed the same masked texts.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from collector.read.templates import MASK, Shape, group

Make = Callable[[random.Random], str]

_USERS = [
    "root",
    "admin",
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "guest",
    "oracle",
    "mysql",
    "test",
    "git",
]
_HOSTS = [
    "web-1",
    "web-2",
    "db-1.internal",
    "cache.internal",
    "mail",
    "backup",
    "edge-7",
    "node-12",
    "node-13",
]
_QUEUES = ["orders", "invoices", "emails", "refunds", "audit", "search.index", "stock", "dead-letters"]
_CLASSES = ["OrderService", "CartService", "PaymentClient", "StockRepository", "MailSender", "PriceCache"]
_ITEMS = ["shoes", "shirts", "lamps", "books", "chairs", "phones", "cables", "plants", "bags", "mugs"]
_COUNTRIES = ["DE", "FR", "NL", "PL", "ES", "IT", "SE", "DK", "AT", "BE"]


def _ip(rng: random.Random) -> str:
    return ".".join(str(rng.randrange(1, 255)) for _ in range(4))


def _hex(rng: random.Random, digits: int) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def _uuid(rng: random.Random) -> str:
    return "-".join(_hex(rng, digits) for digits in (8, 4, 4, 4, 12))


def _path(rng: random.Random) -> str:
    return "/" + "/".join(rng.choice(_ITEMS) for _ in range(rng.randrange(1, 4))) + f"/{rng.randrange(10**5)}"


FAMILIES: dict[str, list[Make]] = {
    "sshd": [
        lambda r: f"Failed password for {r.choice(_USERS)} from {_ip(r)} port {r.randrange(1024, 65535)} ssh2",
        lambda r: f"Failed password for invalid user {r.choice(_USERS)} from {_ip(r)} port {r.randrange(1024, 65535)} ssh2",
        lambda r: f"Accepted publickey for {r.choice(_USERS)} from {_ip(r)} port {r.randrange(1024, 65535)} ssh2: RSA SHA256:{_hex(r, 32)}",
        lambda r: f"pam_unix(sshd:session): session opened for user {r.choice(_USERS)} by (uid={r.randrange(3)})",
        lambda r: f"pam_unix(sshd:session): session closed for user {r.choice(_USERS)}",
        lambda r: f"Invalid user {r.choice(_USERS)} from {_ip(r)}",
        lambda r: f"Received disconnect from {_ip(r)}: {r.randrange(15)}: Bye Bye [preauth]",
        lambda r: f"Connection closed by {_ip(r)} [preauth]",
    ],
    "block store": [
        lambda r: f"Receiving block blk_{r.randrange(10**18)} src: /{_ip(r)}:{r.randrange(65535)} dest: /{_ip(r)}:50010",
        lambda r: f"Received block blk_-{r.randrange(10**18)} of size {r.randrange(67108864)} from /{_ip(r)}",
        lambda r: f"PacketResponder {r.randrange(3)} for block blk_{r.randrange(10**18)} terminating",
        lambda r: f"Verification succeeded for blk_{r.randrange(10**18)}",
        lambda r: f"Deleting block blk_{r.randrange(10**18)} file /mnt/data/current/subdir{r.randrange(64)}/blk_{r.randrange(10**18)}",
        lambda r: f"writeBlock blk_{r.randrange(10**18)} received exception java.io.IOException: Connection reset by peer",
    ],
    "web proxy": [
        lambda r: f"upstream timed out (110: Connection timed out) while reading response header from upstream, client: {_ip(r)}, server: {r.choice(_HOSTS)}, upstream: http://{_ip(r)}:8080/v1/pay",
        lambda r: f"connect() failed (111: Connection refused) while connecting to upstream, client: {_ip(r)}, server: {r.choice(_HOSTS)}",
        lambda r: f"open() {_path(r)!r} failed (2: No such file or directory)",
        lambda r: f"{r.randrange(10)} worker processes reloaded in {r.randrange(900)} ms",
        lambda r: f"client {_ip(r)} closed keepalive connection",
        lambda r: f"limiting requests, excess: {r.random() * 9:.3f} by zone api, client: {_ip(r)}",
    ],
    "database": [
        lambda r: f"duplicate key value violates unique constraint {r.choice(_ITEMS)}_pkey",
        lambda r: f"checkpoint complete: wrote {r.randrange(9000)} buffers ({r.random() * 50:.1f}%); write={r.random() * 99:.3f} s",
        lambda _: "canceling statement due to statement timeout",
        lambda r: f"process {r.randrange(9999)} still waiting for ShareLock on transaction {r.randrange(10**6)} after {r.random() * 1000:.3f} ms",
        lambda r: f"connection authorized: user={r.choice(_USERS)} database={r.choice(_ITEMS)}",
        lambda r: f"disconnection: session time: 0:{r.randrange(60):02}:{r.random() * 60:06.3f} user={r.choice(_USERS)} database={r.choice(_ITEMS)} host={_ip(r)}",
        lambda r: f"automatic vacuum of table shop.public.{r.choice(_ITEMS)}: index scans: {r.randrange(4)}",
    ],
    "connection pool": [
        lambda r: f"HikariPool-{r.randrange(3)} - Connection is not available, request timed out after {r.randrange(30000)}ms.",
        lambda r: f"HikariPool-{r.randrange(3)} - Thread starvation or clock leap detected (housekeeper delta={r.randrange(60)}s{r.randrange(999)}ms).",
        lambda r: f"HikariPool-{r.randrange(3)} - Pool stats (total={r.randrange(20)}, active={r.randrange(20)}, idle={r.randrange(20)}, waiting={r.randrange(99)})",
        lambda r: f"{r.choice(_CLASSES)} started in {r.random() * 20:.3f} seconds (process running for {r.random() * 30:.1f})",
        lambda r: f"Retrying {r.choice(_CLASSES)} in {r.randrange(2000)} ms, attempt {r.randrange(5)} of 5",
    ],
    "kernel": [
        lambda r: f"CPU{r.randrange(64)}: Core temperature above threshold, cpu clock throttled (total events = {r.randrange(10**6)})",
        lambda r: f"Out of memory: Killed process {r.randrange(99999)} ({r.choice(_USERS)}) total-vm:{r.randrange(10**7)}kB, anon-rss:{r.randrange(10**6)}kB",
        lambda r: f"eth{r.randrange(2)}: link down",
        lambda r: f"eth{r.randrange(2)}: link up, {r.choice([100, 1000, 10000])}Mbps, full-duplex",
        lambda r: f"EXT4-fs (sd{r.choice('abcd')}{r.randrange(1, 4)}): mounted filesystem with ordered data mode. Opts: (null)",
        lambda r: f"TCP: request_sock_TCP: Possible SYN flooding on port {r.randrange(65535)}. Sending cookies.",
    ],
    "mail": [
        lambda r: f"{_hex(r, 10).upper()}: from=<{r.choice(_USERS)}@example.com>, size={r.randrange(99999)}, nrcpt={r.randrange(1, 4)} (queue active)",
        lambda r: f"{_hex(r, 10).upper()}: to=<{r.choice(_USERS)}@example.org>, relay={r.choice(_HOSTS)}[{_ip(r)}]:25, delay={r.random() * 9:.1f}, status=sent (250 OK)",
        lambda r: f"{_hex(r, 10).upper()}: removed",
        lambda r: f"connect from {r.choice(_HOSTS)}[{_ip(r)}]",
        lambda r: f"lost connection after AUTH from {r.choice(_HOSTS)}[{_ip(r)}]",
        lambda r: f"warning: hostname {r.choice(_HOSTS)} does not resolve to address {_ip(r)}",
    ],
    "broker": [
        lambda r: f"accepting AMQP connection <0.{r.randrange(9999)}.0> ({_ip(r)}:{r.randrange(65535)} -> {_ip(r)}:5672)",
        lambda r: f"closing AMQP connection <0.{r.randrange(9999)}.0> ({_ip(r)}:{r.randrange(65535)} -> {_ip(r)}:5672, vhost: '/', user: '{r.choice(_USERS)}')",
        lambda r: f"queue {r.choice(_QUEUES)} in vhost '/' has {r.randrange(10**5)} messages ready and {r.randrange(100)} unacknowledged",
        lambda r: f"consumer {_uuid(r)} on queue {r.choice(_QUEUES)} cancelled",
        lambda r: f"Partition {r.choice(_QUEUES)}-{r.randrange(12)} expanded ISR to {r.randrange(3)},{r.randrange(3)}",
        lambda r: f"memory resource limit alarm set on node rabbit@{r.choice(_HOSTS)}",
        lambda r: f"memory resource limit alarm cleared on node rabbit@{r.choice(_HOSTS)}",
    ],
    "scheduler": [
        lambda r: f"job {r.choice(['cleanup', 'export', 'invoice', 'backup', 'digest'])} finished in {r.randrange(9999)} ms",
        lambda r: f"job {r.choice(['cleanup', 'export', 'invoice', 'backup', 'digest'])} failed: exit status {r.randrange(1, 9)}",
        lambda r: f"Successfully assigned default/{r.choice(_ITEMS)}-{_hex(r, 9)}-{_hex(r, 5)} to {r.choice(_HOSTS)}",
        lambda r: f"Back-off restarting failed container {r.choice(_ITEMS)} in pod {r.choice(_ITEMS)}-{_hex(r, 9)}",
        lambda r: f"Liveness probe failed: HTTP probe failed with statuscode: {r.choice([500, 502, 503])}",
        lambda r: f"Pulling image registry/{r.choice(_ITEMS)}:{r.randrange(9)}.{r.randrange(20)}",
        lambda r: f"Scaled up replica set {r.choice(_ITEMS)}-{_hex(r, 9)} to {r.randrange(1, 9)}",
    ],
    "shop": [
        lambda r: f"order {r.randrange(10**7)} accepted for customer {r.randrange(50000)} total={r.random() * 100:.2f} EUR",
        lambda r: f"order {r.randrange(10**7)} cancelled for customer {r.randrange(50000)}",
        lambda r: f"payment of {r.random() * 100:.2f} EUR declined: insufficient funds",
        lambda r: f"payment of {r.random() * 100:.2f} EUR declined: card expired",
        lambda r: f"stock of {r.choice(_ITEMS)} is low: {r.randrange(9)} left",
        lambda r: f"shipping to {r.choice(_COUNTRIES)} priced at {r.random() * 20:.2f} EUR",
        lambda r: f"cache miss key=user:{r.randrange(10**6)}:profile ttl={r.randrange(300)}",
        lambda r: f"user {r.choice(_USERS)} logged in from {_ip(r)}",
        lambda r: f"user {r.choice(_USERS)} logged out",
        lambda r: f"circuit breaker {r.choice(_ITEMS)} changed state from CLOSED to OPEN",
        lambda r: f"circuit breaker {r.choice(_ITEMS)} changed state from OPEN to HALF_OPEN",
        lambda _: "heartbeat",
    ],
}  # fmt: skip
# The same words as the engine's (collector/read/patterns.py).
_VALUE = re.compile(r"""[^\s=:,;()\[\]"'{}<>|/]*[0-9][^\s=:,;()\[\]"'{}<>|/]*""")


def messages(family: str, count: int, rng: random.Random) -> tuple[list[str], list[int]]:
    """Make *count* messages of *family* and say which statement wrote each; some statements are a hundred times rarer than others."""
    makers = FAMILIES[family]
    weights = [rng.choice([1, 3, 10, 30, 100]) for _ in makers]
    labels = rng.choices(range(len(makers)), weights, k=count)
    return [makers[label](rng) for label in labels], labels


def accuracy(labels: Sequence[int], found: Sequence[object]) -> float:
    """Give the share of messages whose group is exactly their statement's."""
    by_label, by_found = defaultdict(set), defaultdict(set)
    for number, (label, template) in enumerate(zip(labels, found, strict=True)):
        by_label[label].add(number)
        by_found[template].add(number)
    right = sum(len(members) for template, members in by_found.items()
                if by_label[labels[next(iter(members))]] == members)  # fmt: skip
    return right / len(labels)


def ours(texts: Sequence[str]) -> list[object]:
    """Give the template of each text, as the API would."""
    masked = [_VALUE.sub(MASK, text) for text in texts]
    counted = Counter(masked)
    shapes = [Shape(text, count) for text, count in counted.items()]
    template_of = {
        shapes[number].text: template.text for template in group(shapes) for number in template.shapes
    }
    return [template_of[text] for text in masked]


def drain3(texts: Sequence[str]) -> list[object] | None:
    """Give the cluster of each text by the library drain3, None where it is not installed."""
    try:
        from drain3 import TemplateMiner
    except ImportError:
        return None
    miner = TemplateMiner()
    return [miner.add_log_message(_VALUE.sub("<*>", text))["cluster_id"] for text in texts]


def main() -> None:
    """Print grouping accuracy per family, and seconds per million records."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=2000, help="per family, as in the published sets")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    scores: dict[str, list[float]] = {"fuseboard": [], "drain3": []}
    seconds: dict[str, float] = {"fuseboard": 0.0, "drain3": 0.0}
    for family in FAMILIES:
        texts, labels = messages(family, asked.messages, random.Random(asked.seed))
        row = [f"{family:16}"]
        for name, method in (("fuseboard", ours), ("drain3", drain3)):
            began = time.process_time()
            found = method(texts)
            if found is None:
                continue
            seconds[name] += time.process_time() - began
            scores[name].append(accuracy(labels, found))
            row.append(f"{name} {scores[name][-1]:.3f}")
        print("  ".join(row))
    for name, reached in scores.items():
        if reached:
            print(
                f"{name}: grouping accuracy {sum(reached) / len(reached):.3f}, {seconds[name]:.2f} CPU-s in Python"
            )


if __name__ == "__main__":
    main()
