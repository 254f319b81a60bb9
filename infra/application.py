"""Composes the stacks of a stage. ``app.py`` calls it for the CDK's command line, tests and local tools in process."""

from __future__ import annotations

import json
from typing import Any, Final

from aws_cdk import App, Tags

from infra.operations_stack import OperationsStack
from infra.packaging import ROOT, building
from infra.service_stack import ServiceStack
from infra.stage import Stage, stage_named
from infra.state_stack import StateStack

DEFAULT_STAGE: Final = "prod"


def build(stage_name: str | None = None, **more: Any) -> App:
    """The app with its stacks, not yet synthesised. ``more`` goes to CDK's ``App`` (``outdir`` for one).

    Without a name the stage comes from the context: ``cdk deploy -c stage=prod``. The feature flags of ``cdk.json``
    hold however the app is started.
    """
    flags = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = App(context=flags, analytics_reporting=False, **more)
    stage = _stage(app, stage_name)
    state = StateStack(app, stage.named("state"), stage=stage, description="Regulars: what must survive")
    with building():
        service = ServiceStack(app, stage.named("service"), stage=stage, state=state, description="Regulars: what runs")
    if not stage.local:
        OperationsStack(app, stage.named("operations"), stage=stage, service=service, description="Regulars: what watches")
    Tags.of(app).add("project", "regulars")
    Tags.of(app).add("stage", stage.name)
    return app


def _stage(app: App, name: str | None) -> Stage:
    origins = str(app.node.try_get_context("cors_origins") or "")
    return stage_named(
        name or str(app.node.try_get_context("stage") or DEFAULT_STAGE),
        cors_origins=tuple(origin for origin in origins.split(",") if origin),
        alarm_topic_arn=app.node.try_get_context("alarm_topic_arn"),
    )
