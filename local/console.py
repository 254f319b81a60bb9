"""The one place that prints: steps with their time, tables, and failures that say what to do."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.table import Table

_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)


class Failure(Exception):
    """Something went wrong that a person can mend. ``remedy`` says how."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def say(text: str = "") -> None:
    """One line."""
    _out.print(text, markup=False)


def title(text: str) -> None:
    """The heading of a part."""
    _out.print(f"\n{text}", style="bold", markup=False)


@contextmanager
def step(text: str, *, spinner: bool = True) -> Iterator[list[str]]:
    """A piece of work: a spinner while it runs (on a terminal), then a line with its time.

    ``spinner=False`` for work that shows its own progress. Notes appended to the list that it gives are printed on the same line.
    """
    notes: list[str] = []
    started = time.monotonic()
    with _out.status(f"{text} ...") if spinner else nullcontext():
        try:
            yield notes
        except BaseException:
            _out.print(f"  [red]✗[/red] {text}")
            raise
    note = f": {', '.join(notes)}" if notes else ""
    _out.print(f"  [green]✓[/green] {text}{note} [dim]{time.monotonic() - started:.1f} s[/dim]")


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Aligned columns."""
    made = Table(box=None, pad_edge=False, header_style="bold", show_header=any(headings))
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    _out.print(made)


def is_terminal() -> bool:
    """Whether a person is watching."""
    return _out.is_terminal


def emit(text: str) -> None:
    """Text for another program: standard output as it is, without wrapping or colour."""
    sys.stdout.write(text + "\n")


def failed(failure: Failure) -> None:
    """Say what went wrong, and then what to do."""
    _err.print("\nFailed: ", style="bold red", end="")
    _err.print(failure.message, markup=False)
    if failure.remedy:
        _err.print(failure.remedy, markup=False)
