"""The only reader of the table's stream. Translate, call, answer."""

from __future__ import annotations

import random
import time
from functools import cache
from typing import Any

from functions.event_relay.settings import RelaySettings, relay_settings
from shared.aws.bus import EventBridgeBus, FailureQueue, ReportQueue
from shared.aws.runtime import Runtime
from shared.observability.logs import logger
from shared.relay.service import Relay


@cache
def settings() -> RelaySettings:
    """This function's settings."""
    return relay_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment: only its clients are used."""
    return Runtime(settings().common)


def lambda_handler(event: dict[str, Any], _context: object = None) -> dict[str, Any]:
    """A batch of the stream. No item is reported as failed: what cannot be relayed is in the failure queue by then."""
    relay = Relay(
        EventBridgeBus(runtime().client("events"), settings().bus_name),
        ReportQueue(runtime().client("sqs"), settings().reports_queue_url),
        FailureQueue(runtime().client("sqs"), settings().failure_queue_url),
        sleep=time.sleep,
        jitter=random.uniform,
    )
    relay.relay(event["Records"])
    logger().info("relayed", extra={"records": len(event["Records"]), "sent": relay.sent, "kept_back": relay.kept_back})
    return {"batchItemFailures": []}
