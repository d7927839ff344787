"""
Which functions a statement may call.

Allowed is what the engine itself lists in ``system.functions``, built in and not newer than the last version whose list was read
by a person, minus the names below: they reach files, other processes, the network, other tables or secrets, or they only wait.
Aggregate functions may carry the combinators (``sumIf``, ``quantileState``, …).

Source: system.functions of ClickHouse 26.9, read name by name; design.md §12.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# A function that a later version adds is refused until somebody has read what it does.
_REVIEWED = (26, 9)
LIST_FUNCTIONS = "SELECT name, alias_to, is_aggregate, toString(origin) AS origin, introduced_in FROM system.functions LIMIT 100000"

_REFUSED: Mapping[str, str] = {
    "reads files": "file filesystemAvailable filesystemCapacity filesystemUnreserved evalMLMethod catboostEvaluate modelEvaluate "
    "naiveBayesClassifier naiveBayesClassifierWithProb naiveBayesClassifierWithAllProbs "
    "regionToName regionIn regionToTopContinent regionToArea regionToCity regionHierarchy regionToCountry regionToContinent "
    "regionToDistrict regionToPopulation lemmatize stem synonyms detectLanguage detectLanguageMixed detectLanguageUnknown "
    "detectCharset detectTonality detectProgrammingLanguage structureToProtobufSchema structureToCapnProtoSchema",
    "asks the network": "FQDN hasColumnInTable zookeeperSessionUptime generateSerialID reverseDNSQuery "
    "aiClassify aiEmbed aiExtract aiFilter aiGenerate aiRedact aiSimilarity aiTranslate",
    "reads other tables or dictionaries": "joinGet joinGetOrNull mergeTreePartInfo isMergeTreePartCoveredBy "
    "transactionID transactionLatestSnapshot transactionOldestSnapshot eval",
    "looks into the server process": "addressToLine addressToLineWithInlines addressToSymbol demangle flameGraph logTrace tid "
    "getMacro getServerPort getServerSetting getOSKernelVersion getMergeTreeSetting tcpPort showCertificate serverUUID buildId "
    "getClientHTTPHeader currentRequestURL currentHandler hasThreadFuzzer path_of_table chdb",
    "waits or fails on purpose": "sleep sleepEachRow fuzzBits fuzzQuery aggThrow",
}
_REFUSED_NAMES: Mapping[str, str] = {
    name.lower(): why for why, names in _REFUSED.items() for name in names.split()
}
# Families that grow with each version.
_REFUSED_FAMILIES = re.compile(r"(?P<dictionary>dict(get|has|isin))|(?P<ai>ai[A-Z])|(?P<internal>_)")
# In the syntax tree, though not in the list.
_SYNTAX = frozenset({"lambda", "exists", "countdistinct"})
_COMBINATORS = re.compile(
    r"(If|Array|Map|SimpleState|State|Merge|MergeState|ForEach|Distinct|OrDefault|OrNull|Resample|ArgMin|ArgMax|Tuple|_respect_nulls)\Z"
)
# zeros() is one the engine refuses under readonly by itself; system.zeros is readable.
TABLE_FUNCTIONS = frozenset({"numbers", "numbers_mt", "values", "generateseries", "generate_series"})


@dataclass(frozen=True, slots=True)
class Functions:
    """
    The functions that may be called.

    Attributes:
        plain: Names in lower case.
        aggregate: The aggregate ones among them: these take combinators.
    """

    plain: frozenset[str]
    aggregate: frozenset[str]

    def refusal(self, name: str) -> str | None:
        """Return why *name* may not be called; ``None``: it may."""
        if why := _reviewed_out(name):
            return why
        if name.lower() in self.plain or name.lower() in _SYNTAX or self._combined(name):
            return None
        return "is not one of the functions that may be called here"

    def _combined(self, name: str) -> bool:
        while found := _COMBINATORS.search(name):
            name = name[: found.start()]
            if name.lower() in self.aggregate:
                return not _reviewed_out(name)
        return False


def functions(rows: Sequence[Mapping[str, Any]]) -> Functions:
    """Read the answer of `LIST_FUNCTIONS`."""
    known = [row for row in rows if _is_reviewed(row)]
    return Functions(
        frozenset(str(row["name"]).lower() for row in known),
        frozenset(str(row["name"]).lower() for row in known if row["is_aggregate"]),
    )


def _is_reviewed(row: Mapping[str, Any]) -> bool:
    if row["origin"] != "System" or _reviewed_out(row["name"]) or _reviewed_out(row["alias_to"]):
        return False
    numbers = re.findall(r"\d+", row["introduced_in"])
    return tuple(int(number) for number in numbers[:2]) <= _REVIEWED


def _reviewed_out(name: str) -> str | None:
    if why := _REFUSED_NAMES.get(name.lower()):
        return why
    if found := _REFUSED_FAMILIES.match(name) or _REFUSED_FAMILIES.match(name.lower()):
        return {"dictionary": "reads other tables or dictionaries", "ai": "asks the network"}.get(
            found.lastgroup or "", "belongs to the engine's inside"
        )
    return None
