"""
What the parts of the compiler hand each other: relations (SELECTs of a known shape) and the scope they are made in.

Every vector is a SELECT with two columns: ``labels Map(String, String)``, sorted by key, without empty values, and
``values Array(Nullable(Float64))`` of the grid's length, NULL where the series has no value (NaN is a value).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from collector.query.promql.grid import Grid, sql_ms, sql_seconds

NAME = "__name__"


@dataclass(slots=True)
class Params:
    """Values of a statement's ``{p0:Type}`` places, a value that stands twice has one; how many selectors it has."""

    values: dict[str, object] = field(default_factory=dict)
    selectors: int = 0
    _places: dict[tuple[str, str], str] = field(default_factory=dict)

    def bind(self, clickhouse_type: str, value: object) -> str:
        """Return the place of *value*."""
        key = (clickhouse_type, repr(value))
        if key not in self._places:
            name = f"p{len(self._places)}"
            self._places[key] = f"{{{name}:{clickhouse_type}}}"
            self.values[name] = value
        return self._places[key]

    def time(self, at_ms: int) -> str:
        """Bind a time."""
        return self.bind("DateTime64(3, 'UTC')", sql_ms(at_ms))

    def duration(self, duration_ms: int) -> str:
        """Bind a duration."""
        return self.bind("Decimal64(3)", sql_seconds(duration_ms))

    def text(self, value: str) -> str:
        """Bind a text."""
        return self.bind("String", value)

    def texts(self, values: list[str]) -> str:
        """Bind a list of texts."""
        return self.bind("Array(String)", values)

    def number(self, value: float) -> str:
        """Bind a number."""
        return self.bind("Float64", value)

    def integer(self, value: int) -> str:
        """Bind a whole number."""
        return self.bind("Int64", value)


@dataclass(frozen=True, slots=True)
class Scope:
    """
    Where and how an expression is compiled.

    Attributes:
        grid: The points it is evaluated at.
        start_ms: What ``@ start()`` means.
        end_ms: What ``@ end()`` means.
        lookback_ms: How old a sample may be to stand for its series.
        params: Collects values.
        own: Columns of a series that this question names as labels: ``service``, ``service_name``, ``env``.
        default_step_ms: Step of a subquery that tells none.
        warnings: Collects what may be wrong with the answer.
        infos: Collects what may be wrong with the question.
    """

    grid: Grid
    start_ms: int
    end_ms: int
    lookback_ms: int
    params: Params
    own: frozenset[str] = frozenset()
    default_step_ms: int = 60_000
    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)

    def on(self, grid: Grid) -> Scope:
        """Give the same scope on another grid."""
        return replace(self, grid=grid)

    @property
    def length(self) -> str:
        """The number of points, bound."""
        return self.params.bind("UInt32", self.grid.points)

    def to_grid(self, function: str, samples: str, window_ms: int, condition: str = "", *more: str) -> str:
        """Write ``timeSeries<function>ToGrid`` over *samples*; *condition* = which rows it takes."""
        bind = self.params
        where = (bind.time(self.grid.start_ms), bind.time(self.grid.end_ms), bind.duration(self.grid.step_ms))
        places = ", ".join((*where, bind.duration(window_ms), *more))
        if condition:
            return f"timeSeries{function}ToGridIf({places})({samples}, {condition})"
        return f"timeSeries{function}ToGrid({places})({samples})"


@dataclass(frozen=True, slots=True)
class Vector:
    """
    Series with a value at each point.

    Attributes:
        sql: SELECT of ``labels`` and ``values``.
        named: Its labels may have ``__name__``.
        unique: Its label sets differ also without ``__name__``.
        drops: Functions have taken the name away: it goes at the end, so that what lies between can still use it
            (Prometheus' delayed name removal: ``sum(rate({job="a"}[5m]))`` of several metrics has an answer).
    """

    sql: str
    named: bool = False
    unique: bool = True
    drops: bool = False


@dataclass(frozen=True, slots=True)
class Matrix:
    """
    Series with their samples.

    Attributes:
        sql: SELECT of ``labels``, ``delta`` (UInt8: each sample is an increment) and ``samples Array(Tuple(at, value))``;
            a label set may come in several rows.
        window_ms: How much of them each point sees.
        scope: The grid of the windows' ends.
        repeated: That grid is one point, whose answer stands for all.
        ago_ms: How long before the question's first point that grid begins.
        named: As `Vector`.
        unique: As `Vector`.
        drops: As `Vector`.
    """

    sql: str
    window_ms: int
    scope: Scope
    repeated: bool = False
    ago_ms: int = 0
    named: bool = True
    unique: bool = True
    drops: bool = False


@dataclass(frozen=True, slots=True)
class Scalar:
    """
    One number per point.

    Attributes:
        sql: A Float64 expression if *constant*, else an Array(Float64) expression of the grid's length.
        constant: It is the same at each point.
    """

    sql: str
    constant: bool

    def array(self, scope: Scope) -> str:
        """Give it as Array(Float64)."""
        return f"arrayWithConstant({scope.length}, {self.sql})" if self.constant else self.sql


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal."""

    value: str


Result = Vector | Matrix | Scalar | Text


def without_name(labels: str) -> str:
    """Drop the metric's name."""
    return f"mapFilter((k, v) -> k != '{NAME}', {labels})"


def mapped(body: str, values: str, scalars: dict[str, Scalar] | None = None, name: str = "v") -> str:
    """
    Apply the expression *body* to each value ``v`` of *values*.

    Args:
        body: SQL over ``v`` and, as ``$a``, the names of *scalars*.
        values: An array.
        scalars: Numbers by their names: constants are written in, others walk along.
        name: What one value is called, rather than ``v``.
    """
    names, arrays = [name], [values]
    for place, scalar in (scalars or {}).items():
        body = body.replace(f"${place}", scalar.sql if scalar.constant else place)
        if not scalar.constant:
            names.append(place)
            arrays.append(scalar.sql)
    head = names[0] if len(names) == 1 else f"({', '.join(names)})"
    return f"arrayMap({head} -> {body}, {', '.join(arrays)})"


SAME_LABELSET = "vector cannot contain metrics with the same labelset"


def distinct(vector: Vector, message: str = SAME_LABELSET) -> str:
    """
    Merge rows of one label set: their values must lie at different points.

    Args:
        vector: Perhaps with several rows of a label set.
        message: What the question is refused with if two have a value at one point; bound to no user text.
    """
    return (
        "SELECT t.labels AS labels, anyForEach(t.values) AS values "
        f"FROM ({vector.sql}) AS t GROUP BY labels "
        f"HAVING NOT throwIf(arrayExists(c -> c > 1, countForEach(t.values)), '{message}')"
    )


def nameless(vector: Vector) -> Vector:
    """Drop the name at last; series that differed by it alone must not have a value at the same point."""
    if not vector.named or not vector.drops:
        return vector
    dropped = f"SELECT {without_name('t.labels')} AS labels, t.values AS values FROM ({vector.sql}) AS t"
    return Vector(dropped if vector.unique else distinct(Vector(dropped)))
