"""Duplicates: two members who turn out to be one. Deciding it, carrying it out in steps that can be repeated, and what it came to."""
