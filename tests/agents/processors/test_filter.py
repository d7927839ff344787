"""Include and exclude: which lines go, and that each is counted once, to the byte."""

from hypothesis import given
from hypothesis import strategies as st

from agents.processors import Tally
from agents.processors.filter import Filter
from agents.settings_values import FilterSettings

BODY = b"GET /healthz 200\nGET /pay 500\r\nPOST /pay 200\n\nGET /healthz 503\n"


def filtered(body, include=(), exclude=()):
    """(what is left, what was taken out)."""
    tally = Tally()
    return Filter(FilterSettings(include, exclude))(body, tally), tally.shed


def test_excluded_lines_are_dropped_and_counted():
    """A line that matches one of the expressions goes with its end."""
    left, shed = filtered(BODY, exclude=("healthz 2", "^POST", "never"))

    assert left == b"GET /pay 500\r\n\nGET /healthz 503\n"
    assert shed == {"excluded": (2, 17 + 14)}


def test_lines_that_are_not_included_are_dropped_and_counted():
    """With include, only lines that match one of its expressions stay; exclude then takes from those."""
    left, shed = filtered(BODY, include=("healthz", "500$"), exclude=("503",))

    assert left == b"GET /healthz 200\nGET /pay 500\r\n"
    assert shed == {"not_included": (2, 15), "excluded": (1, 17)}


def test_nothing_left_is_an_empty_body():
    """Everything may go; a last line without its end is a line."""
    assert filtered(b"a\nb", exclude=(".",)) == (b"", {"excluded": (2, 3)})
    assert filtered(b"a\nb", include=("b",)) == (b"b", {"not_included": (1, 2)})
    assert filtered(b"a\nb", exclude=("b",)) == (b"a\n", {"excluded": (1, 1)})


LINES = st.lists(
    st.text("ab \r", max_size=5).map(lambda text: text.encode().removesuffix(b"\r")), max_size=12
)


@given(LINES, st.booleans(), st.sampled_from(["a", "aab", "^b", "a$", "(?i)AAB"]))
def test_every_line_is_kept_or_counted(lines, ended, expression):
    """Against a model that loops: the same lines stay, and lines and bytes add up."""
    body = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    wanted = [line for line in body.splitlines(keepends=True) if b"\r" not in line]
    body = b"".join(wanted)
    import re

    expected = [line for line in wanted if re.search(expression.encode(), line.rstrip(b"\n")) is None]

    left, shed = filtered(body, exclude=(expression,))

    assert left == b"".join(expected)
    assert shed.get("excluded", (0, 0)) == (len(wanted) - len(expected), len(body) - len(left))
