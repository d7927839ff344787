"""Every error code stands in docs/errors.md with its status, and nothing else does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from collector import errors
from tests.contract import sources

CLASSES = {
    name: found
    for name, found in vars(errors).items()
    if isinstance(found, type) and issubclass(found, errors.FuseboardError)
}
# Their codes stand in errors.py itself.
FIXED = {
    errors.StoreUnavailable("").code: errors.StoreUnavailable.status,
    errors.StoreRejected("").code: errors.StoreRejected.status,
    errors.QuerySyntax("", 0).code: errors.QuerySyntax.status,
    errors.QueryTooExpensive("").code: errors.QueryTooExpensive.status,
}
BUILT_IN_CODE = {"StoreUnavailable", "StoreRejected", "QuerySyntax", "QueryTooExpensive"}


def answers() -> dict[str, str]:
    """Code -> status, as documented for the collector's answers."""
    rows = sources.table("errors.md", "Answers of the collector")
    return {code: status for codes, status, _ in rows for code in sources.codes(codes)}


def unanswered() -> set[str]:
    """Codes documented as never being an answer."""
    rows = sources.table("errors.md", "Said at start, in a log or on a delivery")
    return {code for codes, _, _ in rows for code in sources.codes(codes)}


def raised() -> Iterator[tuple[str, str, int]]:
    """Each error made in the collector: (where, code or pattern of a code, status of its class)."""
    for path, name, call in sources.calls("collector", set(CLASSES) - BUILT_IN_CODE):
        where = f"{path.relative_to(sources.ROOT)}:{call.lineno}"
        assert call.args, f"{where}: {name} without a code"
        yield where, pattern(call.args[0], where), CLASSES[name].status


def pattern(code: ast.expr, where: str) -> str:
    """A code as a regular expression: text as it is, what an f-string fills in as a word."""
    if isinstance(code, ast.Constant):
        return re.escape(str(code.value))
    assert isinstance(code, ast.JoinedStr), f"{where}: the code is neither text nor an f-string"
    return "".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else "[a-z]+" for p in code.values)


def written_by_hand() -> set[str]:
    """Codes that the API's failure handlers write for the framework's errors."""
    handlers = sources.ROOT / "collector" / "api" / "failure.py"
    found: set[str] = set()
    for node in ast.walk(ast.parse(handlers.read_text())):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "code":
                    found |= {c.value for c in ast.walk(value) if isinstance(c, ast.Constant) and isinstance(c.value, str)}  # fmt: skip
    return found


def test_every_code_is_documented_with_its_status() -> None:
    """What is raised in the collector stands on the page, under the status of its class."""
    documented, silent = answers(), unanswered()
    for where, code, status in raised():
        fitting = [known for known in (*documented, *silent) if re.fullmatch(code, known)]
        assert fitting, f"{where}: {code} is not in docs/errors.md"
        # The root's status is set by whoever raises it.
        if status != errors.FuseboardError.status and not silent.intersection(fitting):
            assert str(status) in {documented[known] for known in fitting}, f"{where}: {code} is a {status}"


def test_codes_of_error_classes_and_of_the_framework_are_documented() -> None:
    """Those that no caller names are on the page too."""
    documented = answers()

    assert {code: documented.get(code) for code in FIXED} == {c: str(s) for c, s in FIXED.items()}
    assert written_by_hand() <= set(documented)


def test_no_documented_code_is_gone() -> None:
    """A code nobody raises any more leaves the page."""
    patterns = {code for _, code, _ in raised()}
    alive = set(FIXED) | written_by_hand()

    for known in (*answers(), *unanswered()):
        assert known in alive or any(re.fullmatch(code, known) for code in patterns), known


def test_the_relays_answers_are_documented() -> None:
    """Each refusal of an agent's relay stands in its table under its status."""
    rows = sources.table("errors.md", "Answers of an agent's relay")
    documented = {code: status for codes, status, _ in rows for code in sources.codes(codes)}
    for path, _, call in sources.calls("agents", {"BadRequest"}):
        status, code = call.args[0], pattern(call.args[1], str(path))
        assert isinstance(status, ast.Constant)
        fitting = [known for known in documented if re.fullmatch(code, known)]
        assert fitting, f"{path}: {code} is not in docs/errors.md"
        assert str(status.value) in {documented[known] for known in fitting}
