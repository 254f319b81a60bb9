"""The rewards catalogue: what points are exchanged for, and what became of each exchange."""
