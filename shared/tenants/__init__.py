"""Tenants, and the credentials by which somebody acts for one: API keys, members' tokens, identity providers."""
