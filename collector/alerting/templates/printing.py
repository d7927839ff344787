"""``printf`` and the writing of any value, as Go's ``fmt`` does. Source: https://pkg.go.dev/fmt."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from collector.alerting.templates import numbers

_VERB = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\d{1,3})?(?:\.(?P<precision>\d{0,2}))?(?P<verb>.)", re.DOTALL
)
_FLOAT_VERBS, _INTEGER_VERBS, _TEXT_VERBS = "eEfFgG", "dxXobcqU", "sqxX"


def shown(value: Any) -> str:
    """Write *value* as ``%v`` does."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return numbers.shortest(value)
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{shown(value[key])}' for key in sorted(value))}]"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{' '.join(map(shown, value))}]"
    return str(value)


def sprintf(form: str, values: Sequence[Any]) -> str:
    """Fill the verbs of *form*; what does not fit stands in the text, as Go writes it."""
    left = list(values)

    def fill(found: re.Match[str]) -> str:
        if found["verb"] == "%":
            return "%"
        if not left:
            return f"%!{found['verb']}(MISSING)"
        return _padded(found, _written(found, left.pop(0)))

    text = _VERB.sub(fill, form)
    extra = ", ".join(f"{_type(value)}={shown(value)}" for value in left)
    return f"{text}%!(EXTRA {extra})" if left else text


def _padded(found: re.Match[str], text: str) -> str:
    width = int(found["width"] or 0)
    if "-" in found["flags"]:
        return text.ljust(width)
    zeros = "0" in found["flags"] and found["verb"] in _FLOAT_VERBS + "dxX"
    return text.zfill(width) if zeros else text.rjust(width)


def _written(found: re.Match[str], value: Any) -> str:
    verb, precision = found["verb"], found["precision"]
    sign = "+" if "+" in found["flags"] and isinstance(value, int | float) and value >= 0 else ""
    if verb == "v":
        return sign + shown(value)
    if isinstance(value, float) and verb in _FLOAT_VERBS:
        return sign + _float(value, verb, precision)
    if isinstance(value, bool):
        return shown(value) if verb == "t" else _wrong(verb, value)
    if isinstance(value, int) and verb in _INTEGER_VERBS:
        return sign + _integer(value, verb)
    if isinstance(value, str) and verb in _TEXT_VERBS:
        return _text(value if precision is None else value[: int(precision or 0)], verb)
    return _wrong(verb, value)


def _float(value: float, verb: str, precision: str | None) -> str:
    named = numbers.special(value)
    if named is not None:
        return named
    if precision is None and verb in "gG":
        return numbers.shortest(value)
    return f"{value:.{6 if precision is None else int(precision or 0)}{verb}}"


def _integer(value: int, verb: str) -> str:
    if verb in "cq":
        return chr(value) if verb == "c" else f"'{chr(value)}'"
    return f"U+{value:04X}" if verb == "U" else f"{value:{verb}}"


def _text(value: str, verb: str) -> str:
    if verb == "q":
        return json.dumps(value, ensure_ascii=False)
    return value if verb == "s" else value.encode().hex() if verb == "x" else value.encode().hex().upper()


def _wrong(verb: str, value: Any) -> str:
    return f"%!{verb}({_type(value)}={shown(value)})"


def _type(value: Any) -> str:
    names = {bool: "bool", int: "int", float: "float64", str: "string"}
    return names.get(type(value), "map[string]string")
