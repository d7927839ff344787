"""docs/health.md explains every code that evidence may have."""

import re
from pathlib import Path

from tests.contract import sources

ROOT = Path(__file__).parents[3]


def page(heading):
    """The codes of a table."""
    return {code for row in sources.table("health.md", heading) for code in sources.codes(row[0])}


def test_every_code_of_a_verdict_is_on_the_page():
    """As verdict.py writes them."""
    text = (ROOT / "collector/health/verdict.py").read_text()

    codes = set(re.findall(r'Reason\(\s*(?:"\w+"|health),\s*"(\w+)"', text)) | set(
        re.findall(r'^        "(\w+)": "', text, re.MULTILINE)
    )
    assert codes == page("Codes of verdicts")


def test_every_code_of_a_cause_is_on_the_page():
    """As evidence.py writes them."""
    text = (ROOT / "collector/health/evidence.py").read_text()
    codes = set(re.findall(r'^        "(\w+)": f"', text, re.MULTILINE)) | set(
        re.findall(r'_said\(\s*"(\w+)"', text)
    )

    assert codes == page("Codes of causes")
