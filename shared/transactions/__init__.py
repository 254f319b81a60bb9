"""Purchases: pricing a basket, recording a sale exactly once, reversing it."""
