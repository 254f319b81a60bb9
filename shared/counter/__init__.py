"""Abuse at the counter: spending that needs a confirmation, purchases that wait for a review, what cashiers do often."""
