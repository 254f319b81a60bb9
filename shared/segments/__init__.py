"""Segments: a JSON language over a member's state, and answers that say until when they hold."""
