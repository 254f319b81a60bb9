"""Earning, spending and tiers: pure rules over a basket."""
