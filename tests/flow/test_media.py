"""An image through the deployed system: the gateway takes 4 MB, the function has its library, a guest fetches what an answer links."""

from __future__ import annotations

import base64
import urllib.request
from urllib.error import HTTPError

import pytest

from local.client import Client, Refused
from tests.flow.conftest import DeployedStack
from tests.unit.media.pictures import encoded, opened, quarters

TENANT = "pictures"
MOST = 4 * 1024**2


@pytest.fixture(scope="module")
def marketer(stack: DeployedStack) -> Client:
    operator = Client(stack.api_url, stack.operator_key)
    settings = {"name": "Pictures", "currency": "EUR", "time_zone": "UTC"}
    operator.post("/v1/tenants", {"id": TENANT, "settings": settings})
    scopes = ["definitions:read", "definitions:write"]
    return operator.as_(operator.post(f"/v1/tenants/{TENANT}/keys", {"scopes": scopes, "label": "marketer"})["key"])


def body(data: bytes) -> dict[str, str]:
    return {"name": "Mug", "content_type": "image/png", "data": base64.b64encode(data).decode()}


def test_an_image_of_4_mb_is_taken_and_its_files_are_there_for_guests(marketer: Client, stack: DeployedStack) -> None:
    """Guests are served by CloudFront, which alone may read the bucket: nobody else gets a file without a signature."""
    image = encoded(quarters(1500, 750), "PNG")
    made = marketer.post("/v1/media", body(image + bytes(MOST - len(image))))
    for name, width in (("small", 320), ("medium", 640), ("large", 1280), ("fallback", 1280)):
        link = made["links"][name]
        with pytest.raises(HTTPError, match="403"):
            urllib.request.urlopen(link, timeout=10)
        bucket = stack.outputs["MediaBucket"]
        answer = stack.client("s3").get_object(Bucket=bucket, Key=link.partition(f"{bucket}/")[2])
        assert answer["CacheControl"] == "public, max-age=31536000, immutable"
        assert answer["ContentType"] == ("image/jpeg" if name == "fallback" else "image/webp")
        assert opened(answer["Body"].read()).width == width


def test_an_image_that_is_named_stays_until_it_is_not(marketer: Client) -> None:
    media = marketer.post("/v1/media", body(encoded(quarters(300, 150), "PNG")))["media_id"]
    reward = {"name": "Mug", "price": 5, "gives": {"kind": "item", "item": "mug"}, "content": {"en": {"title": "Mug", "image": media}}}
    marketer.post("/v1/rewards", {"id": "mug", "definition": reward})
    assert marketer.post("/v1/rewards/mug/publish", {})["status"] == "published"
    with pytest.raises(Refused) as refused:
        marketer.call("DELETE", f"/v1/media/{media}")
    assert refused.value.status == 409
