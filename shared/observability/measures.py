"""Metrics in CloudWatch's embedded format (EMF): lines on stdout, no call to anyone.

A tenant is metadata, never a dimension: each value of a dimension is a metric that is paid for by the month.
"""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools.metrics import Metrics

NAMESPACE = "Regulars"


@cache
def metrics() -> Metrics:
    """The metrics of this process. The dispatcher flushes them once per request, with the operation as dimension."""
    return Metrics(namespace=NAMESPACE)


def record_request(operation: str, status: int, duration_ms: float, metadata: dict[str, str]) -> None:
    """Count an answer by operation and class of status, with its latency, and flush all metrics of the request in one line.

    The class is part of the metric's name (``answers_2xx``), so that latency is paid for once per operation.
    """
    sink = metrics()
    sink.add_dimension("operation", operation)
    sink.add_metric(f"answers_{status // 100}xx", "Count", 1)
    sink.add_metric("latency", "Milliseconds", duration_ms)
    for key, value in metadata.items():
        sink.add_metadata(key, value)
    sink.flush_metrics()
