"""Challenges: goals that a member reaches over purchases, as stamp cards and streaks, and what she gets for it."""
