"""The reference till client: sells with and without network, and settles. Everything an integrator has to get right, in one package.

``disk`` and ``journal`` keep what was sold through a crash at any byte; ``giving`` decides offline within the location's allowance;
``network`` says what an answer means; ``till`` puts them together; ``command`` is ``python -m local till``.
"""

from __future__ import annotations

from local.till.command import add_parser

__all__ = ["add_parser"]
