"""Members: who they are to a tenant, by which identifiers they are found, and what they agreed to."""
