"""Functions of one vector, value by value: mathematics, rounding, clamping, the calendar; and the numbers ``time()`` and ``pi()``."""

from __future__ import annotations

from collections.abc import Sequence

from collector.query.promql.scope import Scalar, Scope, mapped

# Over one value ``v``.
_PLAIN = {
    "abs": "abs(v)",
    "ceil": "ceil(v)",
    "floor": "floor(v)",
    "exp": "exp(v)",
    "sqrt": "sqrt(v)",
    "ln": "log(v)",
    "log2": "log2(v)",
    "log10": "log10(v)",
    "sgn": "multiIf(v > 0, 1., v < 0, -1., v)",
    "sin": "sin(v)",
    "cos": "cos(v)",
    "tan": "tan(v)",
    "asin": "asin(v)",
    "acos": "acos(v)",
    "atan": "atan(v)",
    "sinh": "sinh(v)",
    "cosh": "cosh(v)",
    "tanh": "tanh(v)",
    "asinh": "asinh(v)",
    "acosh": "acosh(v)",
    "atanh": "atanh(v)",
    "deg": "degrees(v)",
    "rad": "radians(v)",
}
# Over one value and numbers ``$a``, ``$b``; how many of them may be left out, and what they are then.
_WITH_NUMBERS = {
    "clamp": ("if($a > $b, NULL, multiIf(isNaN($a) OR isNaN($b), nan, v > $b, $b, v < $a, $a, v))", ()),
    "clamp_min": ("multiIf(isNaN($a), nan, v < $a, $a, v)", ()),
    "clamp_max": ("multiIf(isNaN($a), nan, v > $a, $a, v)", ()),
    "round": ("floor(v * (1 / $a) + 0.5) / (1 / $a)", (1.0,)),
}
# Of a time, seconds since the epoch, UTC.
_CALENDAR = {
    "minute": "toMinute({})",
    "hour": "toHour({})",
    "month": "toMonth({})",
    "year": "toYear({})",
    "day_of_month": "toDayOfMonth({})",
    "day_of_week": "toDayOfWeek({}) % 7",
    "day_of_year": "toDayOfYear({})",
    # toLastDayOfMonth gives a Date, which begins in 1970
    "days_in_month": "[31, 28 + (toYear({0}) % 4 = 0 AND (toYear({0}) % 100 != 0 OR toYear({0}) % 400 = 0)), "
    "31, 30, 31, 30, 31, 31, 30, 31, 30, 31][toMonth({0})]",
}


def value_by_value(function: str, numbers: Sequence[Scalar], scope: Scope) -> str | None:
    """
    Compile a function of one vector.

    Args:
        function: Its PromQL name.
        numbers: Its other arguments, in order.
        scope: Where.

    Returns:
        SQL of the values over ``t.values``; None if there is no such function.
    """
    if function in _PLAIN:
        return mapped(_PLAIN[function], "t.values")
    if function in _CALENDAR:
        return mapped(calendar(function, "v"), "t.values")
    if function in _WITH_NUMBERS:
        body, defaults = _WITH_NUMBERS[function]
        given = [*numbers, *(Scalar(scope.params.number(d), constant=True) for d in defaults[len(numbers) :])]
        return mapped(body, "t.values", dict(zip("ab", given, strict=False)))
    return None


def calendar(function: str, seconds: str) -> str:
    """Give a part of the date of *seconds*; a time that is no number has none."""
    day = f"fromUnixTimestamp64Second(toInt64({seconds}), 'UTC')"
    return f"if(isFinite({seconds}), toFloat64({_CALENDAR[function].format(day)}), {seconds})"


def is_calendar(function: str) -> bool:
    """Whether *function* takes the time of evaluation if it is given none."""
    return function in _CALENDAR


def time_of_evaluation(scope: Scope) -> Scalar:
    """Give ``time()``."""
    start, step = scope.params.integer(scope.grid.start_ms), scope.params.integer(scope.grid.step_ms)
    if scope.grid.points == 1:
        return Scalar(f"({start} / 1000)", constant=True)
    return Scalar(f"arrayMap(i -> ({start} + i * {step}) / 1000, range({scope.length}))", constant=False)


def number(function: str, scope: Scope) -> Scalar | None:
    """Compile a function that takes nothing and gives a number; None if it is none."""
    seconds = {
        "start": scope.start_ms / 1000,
        "end": scope.end_ms / 1000,
        "range": (scope.end_ms - scope.start_ms) / 1000,
        "step": scope.grid.step_ms / 1000,
    }
    if function == "time":
        return time_of_evaluation(scope)
    if function == "pi":
        return Scalar("pi()", constant=True)
    if function in seconds:
        return Scalar(scope.params.number(seconds[function]), constant=True)
    return None
