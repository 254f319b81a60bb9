"""Bulk jobs: accepted at once, worked on from a queue, every refused record named."""
