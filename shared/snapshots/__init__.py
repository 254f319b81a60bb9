"""Columnar snapshots of members' profiles: what a leaf may ask of everybody, in a few objects, kept fresh from the relay's events."""
