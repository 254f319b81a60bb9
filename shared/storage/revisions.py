"""Items that are written over only by who read their last revision."""

from __future__ import annotations

from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items import Item
from shared.storage.table import Table


def put_next(table: Table, item: Item, revision: int) -> bool:
    """Put an item of that revision over the one before; ``False``, and nothing written, if somebody was faster. 1 write unit a KB."""
    nobody_was_faster: Condition = Path("revision") == revision - 1
    try:
        table.put(item, nobody_was_faster)
    except ConditionFailed:
        return False
    return True
