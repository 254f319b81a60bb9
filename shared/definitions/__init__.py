"""Versioned definitions of a tenant, and the view of them that holds at an instant."""
