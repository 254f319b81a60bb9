"""Images that guests see: upload, read, delete. A function of its own: only here the image library is loaded. Translate, call, answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.media.settings import MediaSettings, media_settings
from shared.aws.objects import S3Store
from shared.aws.runtime import Runtime
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.media import api, service
from shared.privacy.crypto import derive
from shared.tenants.scope import TenantScope

app = HttpApp("media")


@cache
def settings() -> MediaSettings:
    """This function's settings."""
    return media_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


app.limit(lambda: runtime())  # noqa: PLW0108 - looked up with each call, as everything here that is wired


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway."""
    runtime().begin(context)
    return app.handle(event, context)


def _scope(request: Request) -> TenantScope:
    return runtime().scope(request.principal)


def _files() -> S3Store:
    return S3Store(runtime().client("s3"), settings().bucket)


@cache
def _cursors() -> bytes:
    return derive(runtime().master_secret, "cursors")


@app.operation("upload_media")
def upload_media(request: Request) -> Answer:
    """POST /v1/media."""
    answer, is_new = service.upload(_scope(request), request.parse(api.UploadRequest), _files())
    return Answer(201 if is_new else 200, answer)


@app.operation("list_media")
def list_media(request: Request) -> Answer:
    """GET /v1/media."""
    return Answer(body=service.page(_scope(request), request.page_limit(), request.cursor, _cursors()))


@app.operation("get_media")
def get_media(request: Request) -> Answer:
    """GET /v1/media/{media_id}."""
    return Answer(body=service.read(_scope(request), request.path["media_id"]))


@app.operation("delete_media")
def delete_media(request: Request) -> Answer:
    """DELETE /v1/media/{media_id}."""
    service.delete(_scope(request), request.path["media_id"], _files())
    return Answer()
