"""Structured logs without personal data, and metrics as log lines."""

from shared.observability.logs import log_context, logger, redact
from shared.observability.measures import metrics

__all__ = ["log_context", "logger", "metrics", "redact"]
