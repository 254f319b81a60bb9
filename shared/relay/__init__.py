"""The outbox: from a commit's `out` attribute to one envelope on the bus."""
