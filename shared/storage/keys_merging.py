"""Keys of merges. As ``shared.storage.keys``, whose rules hold here too."""

from __future__ import annotations

from shared.storage.keys import Key, prefix


def merge(tenant: str, duplicate: str) -> Key:
    """The merge of a member into another: how far it is. Not in her partition: it stays."""
    return Key(f"{prefix(tenant)}MERGE#{duplicate}", "MERGE")
