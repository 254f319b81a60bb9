"""Mistakes in a programme that its author would want to hear of before guests find them. Pure; see docs/linter.md."""
