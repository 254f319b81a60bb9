"""Who did what to which member or definition, sealed against later changes (docs/audit.md)."""
