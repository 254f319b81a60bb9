"""Metrics in CloudWatch's embedded format (EMF): lines on stdout, no call to anyone.

A tenant is metadata, never a dimension: each value of a dimension is a metric that is paid for by the month.
"""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

NAMESPACE = "Regulars"


@cache
def metrics() -> Metrics:
    """The metrics of this process. The dispatcher flushes them once per request, with the operation as dimension."""
    return Metrics(namespace=NAMESPACE)


def count_late(operation: str) -> None:
    """Something came for a member who is forgotten: no error, but counted (``late_for_erased``), one line each.

    A number that does not fall in the days after an erasure says that somebody outside still has her data.
    """
    with single_metric(name="late_for_erased", unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as metric:
        metric.add_dimension(name="operation", value=operation)


def count_retention(outcome: str) -> None:
    """An inactive member was warned (by e-mail or SMS, or in the inbox alone) or erased (``retention``), one line each."""
    with single_metric(name="retention", unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as metric:
        metric.add_dimension(name="outcome", value=outcome)


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


def count_limits_unavailable(policy: str) -> None:
    """Calls of a policy (tenant, credential, public) were let through without being paid for (``limits_unavailable``), one line each."""
    with single_metric(name="limits_unavailable", unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as metric:
        metric.add_dimension(name="policy", value=policy)
