"""Campaigns: what is sent to whom and when, and that nobody gets it twice."""
