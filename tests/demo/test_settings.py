"""What a service reads from its environment."""

from __future__ import annotations

import re

import pytest

from demo.errors import UsageError
from demo.settings import ServiceSettings


def test_neighbours_come_from_the_environment() -> None:
    """Containers tell each service where the others are; the default is the service's name."""
    settings = ServiceSettings.from_env(
        "checkout", {"DEMO_PAYMENT_URL": "http://pay:9000/", "DEMO_PORT": "81"}
    )

    assert settings.neighbours == {
        "cart": "http://cart:8000",
        "inventory": "http://inventory:8000",
        "payment": "http://pay:9000",
    }
    assert settings.port == 81


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DEMO_PORT": "eighty"}, "DEMO_PORT is 'eighty'"),
        ({"DEMO_SEED": "-3"}, "DEMO_SEED is '-3'"),
        ({"DEMO_PAYMENT_URL": "payment:8000"}, "DEMO_PAYMENT_URL is 'payment:8000'"),
    ],
)
def test_a_wrong_value_is_quoted_with_its_name(environ: dict[str, str], said: str) -> None:
    """The error names the variable and what it held."""
    with pytest.raises(UsageError, match=re.escape(said)):
        ServiceSettings.from_env("checkout", environ)
