"""Live or test: a tenant's test environment is a tenant of its own, and its id says so. Pure.

``corner-test`` is that of ``corner``; once it was removed, the next is ``corner-test2``. No other tenant can have such an id, so whatever
knows a tenant knows its mode without asking: no setting that somebody might change, and no read (docs/adr/0031).
"""

from __future__ import annotations

from typing import Final, Literal

from shared.kernel.errors import InvalidValue

Mode = Literal["live", "test"]
MAX_TESTS: Final = 99
"""Test environments that one tenant can have, one after the other."""
_SUFFIX: Final = "-test"
_BETWEEN: Final = "-"
"""In no live tenant's id."""


def mode_of(tenant: str) -> Mode:
    """Whether the id is of a test environment.

    >>> mode_of("corner-test2"), mode_of("contest")
    ('test', 'live')
    """
    return "test" if _BETWEEN in tenant else "live"


def live_of(tenant: str) -> str:
    """The tenant that a test environment belongs to; a live tenant's own id."""
    return tenant.partition(_BETWEEN)[0]


def nth_test_of(tenant: str, number: int) -> str:
    """The id of a live tenant's test environment: the first, the second, ... ``InvalidValue`` beyond ``MAX_TESTS``, or of one that is one.

    >>> nth_test_of("corner", 1), nth_test_of("corner", 2)
    ('corner-test', 'corner-test2')
    """
    if mode_of(tenant) == "test" or not 1 <= number <= MAX_TESTS:
        raise InvalidValue("a live tenant has test environments from 1 to 99")
    return f"{tenant}{_SUFFIX}{number if number > 1 else ''}"
