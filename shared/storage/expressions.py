"""Conditions and updates, as pynamodb builds them: the only door to its expressions, so that it could be replaced here."""

from __future__ import annotations

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

__all__ = ["Action", "Condition", "Path"]
