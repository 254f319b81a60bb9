"""Images: uploaded once, linked, kept as long as a published definition names them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from shared.aws.objects import S3Store
from shared.storage import keys
from tests.builders.gateway import Cloud
from tests.builders.house import FRIES, NOW, House
from tests.builders.office import Office, Said
from tests.unit.media.pictures import encoded, quarters

IMAGE = encoded(quarters(800, 400), "PNG")


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    bare_house.media_url = "https://images.example"
    return Office(bare_house.create(), monkeypatch)


def upload(office: Office, data: bytes = IMAGE, content_type: str = "image/png", **more: Any) -> Said:
    return office.call("upload_media", {"name": "Fries", "content_type": content_type, "data": base64.b64encode(data).decode()}, **more)


def offer_with(office: Office, image: str, id_: str = "fries") -> Said:
    """A draft that names the image, published."""
    content = {"en": {"title": "Fries", "image": image}}
    assert office.call("create_offer", {"id": id_, "definition": FRIES | {"content": content}}).status == 201
    return office.call("publish_offer", {}, definition_id=id_)


def test_an_image_is_stored_in_several_sizes_that_never_change(office: Office) -> None:
    said = upload(office)
    media = said.body["media_id"]
    base = f"https://images.example/media/demo/{media}"
    assert said.status == 201
    assert said.body == {
        "media_id": media, "name": "Fries", "content_type": "image/png", "size": len(IMAGE), "width": 800, "height": 400,
        "transparent": False, "uploaded_at": "2026-11-21T10:00:00Z",
        "links": {"small": f"{base}/320.webp", "medium": f"{base}/640.webp", "large": f"{base}/1280.webp", "fallback": f"{base}/fallback"},
    }  # fmt: skip
    types = {"320.webp": "image/webp", "640.webp": "image/webp", "1280.webp": "image/webp", "fallback": "image/jpeg"}
    assert {name: (each["ContentType"], each["CacheControl"], each["Bucket"]) for name, each in office.objects.kept.items()} == {
        f"media/demo/{media}/{name}": (content_type, "public, max-age=31536000, immutable", "media") for name, content_type in types.items()
    }
    assert office.call("get_media", media_id=media).body == said.body


def test_the_same_image_again_is_the_same_and_stores_nothing(office: Office) -> None:
    first = upload(office)
    office.objects.before_each = lambda: pytest.fail("nothing is stored again")
    again = upload(office)
    assert (again.status, again.body) == (200, first.body)


def test_an_upload_that_was_interrupted_is_made_again(office: Office) -> None:
    def fail() -> None:
        raise OSError("no storage")

    office.objects.before_each = fail
    assert upload(office).status == 500
    media = office.house.table.query_all(keys.media("demo"))[0]["SK"]["S"].removeprefix("IMAGE#")
    assert office.call("get_media", media_id=media).status == 404
    assert office.call("list_media").body["data"] == []
    assert offer_with(office, media).errors == [("/definition/content/en/image", "unknown_media")]
    office.objects.before_each = lambda: None
    assert upload(office).status == 201
    assert len(office.objects.kept) == 4


def test_an_upload_that_a_deletion_overtakes_is_not_ready(office: Office) -> None:
    """While its files are being stored, the same image, just uploaded by somebody else, is deleted."""
    raw = office.house.table.query_all

    def delete_it() -> None:
        office.objects.before_each = lambda: None
        media = raw(keys.media("demo"))[0]["SK"]["S"].removeprefix("IMAGE#")
        assert office.call("delete_media", media_id=media).status == 204

    office.objects.before_each = delete_it
    assert upload(office).body["code"] == "being_deleted"
    assert raw(keys.media("demo")) == []


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"data": "§§§"}, "/data", "not_base64"),
        ({"data": base64.b64encode(b"<svg/>").decode()}, "/data", "not_an_image"),
        ({"data": base64.b64encode(IMAGE[:200]).decode()}, "/data", "unreadable"),
        ({"content_type": "image/jpeg"}, "/content_type", "other_type"),
        ({"data": base64.b64encode(encoded(quarters(60, 60), "PNG")).decode()}, "/data", "too_small"),
        ({"data": base64.b64encode(IMAGE + bytes(4 * 1024**2 - len(IMAGE) + 1)).decode()}, "/data", "too_large"),
    ],
)
def test_what_is_no_good_image_is_refused_and_leaves_nothing(office: Office, body: dict[str, str], pointer: str, code: str) -> None:
    good = {"name": "Fries", "content_type": "image/png", "data": base64.b64encode(IMAGE).decode()}
    said = office.call("upload_media", good | body)
    assert (said.status, said.body["code"], said.errors) == (422, "unusable_image", [(pointer, code)])
    assert office.objects.kept == {}
    assert office.house.table.query_all(keys.media("demo")) == []


@pytest.mark.parametrize("body", [{"content_type": "image/svg+xml"}, {"data": ""}, {"name": ""}, {"data": "A" * 5_592_409}, {"extra": 1}])
def test_what_does_not_fit_is_refused(office: Office, body: dict[str, Any]) -> None:
    good = {"name": "Fries", "content_type": "image/png", "data": base64.b64encode(IMAGE).decode()}
    said = office.call("upload_media", good | body)
    assert (said.status, [pointer for pointer, _ in said.errors]) == (422, [f"/{next(iter(body))}"])


def test_a_file_of_4_mb_passes_the_gates_and_other_routes_stay_at_one(office: Office) -> None:
    data = base64.b64encode(IMAGE + bytes(4 * 1024**2 - len(IMAGE))).decode()
    assert office.call("upload_media", {"name": "x", "content_type": "image/png", "data": data}).status == 201
    assert office.call("upload_media", {"name": "x", "content_type": "image/png", "data": "A" * 6 * 1024**2}).status == 413
    assert office.call("create_offer", {"id": "x", "definition": {"name": "A" * 2 * 1024**2}}).status == 413


def test_images_are_listed_by_the_page(office: Office) -> None:
    made = {upload(office, encoded(quarters(100 + i, 100), "PNG")).body["media_id"] for i in range(3)}
    first = office.call("list_media", query={"limit": "2"}).body
    second = office.call("list_media", query={"limit": "2", "cursor": first["next_cursor"]}).body
    assert [each["media_id"] for each in (*first["data"], *second["data"])] == sorted(made)
    assert "next_cursor" not in second


@pytest.mark.parametrize("media", ["med_" + "0" * 32, "nothing", "med_../../x", "x" * 500])
def test_what_is_not_there_is_unknown(office: Office, media: str) -> None:
    for operation in ("get_media", "delete_media"):
        said = office.call(operation, media_id=media)
        assert (said.status, said.body["code"]) == (404, "unknown_media")


def test_an_image_of_another_tenant_is_unknown_and_cannot_be_named(office: Office) -> None:
    House(office.house.table, office.house.key_table, tenant="other").create()
    media = upload(office).body["media_id"]
    for operation in ("get_media", "delete_media"):
        assert office.call(operation, media_id=media, tenant="other").status == 404
    office.call("create_offer", {"id": "a", "definition": FRIES | {"content": {"en": {"title": "a", "image": media}}}}, tenant="other")
    said = office.call("publish_offer", {}, definition_id="a", tenant="other")
    assert said.errors == [("/definition/content/en/image", "unknown_media")]
    assert len(office.objects.kept) == 4


def test_reading_needs_the_right_to_read_and_changing_that_to_write(office: Office) -> None:
    media = upload(office).body["media_id"]
    reader = frozenset({"definitions:read"})
    assert office.call("get_media", media_id=media, scopes=reader).status == 200
    assert upload(office, scopes=reader).status == 403
    assert office.call("delete_media", media_id=media, scopes=reader).status == 403


def test_an_image_that_nothing_names_is_deleted_with_its_files(office: Office) -> None:
    media = upload(office).body["media_id"]
    assert office.call("delete_media", media_id=media).status == 204
    assert office.objects.kept == {}
    assert office.call("get_media", media_id=media).status == 404
    assert upload(office).status == 201


def test_an_image_that_a_published_definition_names_stays(office: Office) -> None:
    media = upload(office).body["media_id"]
    assert offer_with(office, media).status == 200
    said = office.call("delete_media", media_id=media)
    assert (said.status, said.body["code"], said.body["detail"]) == (409, "in_use", "Named by offer fries.")
    assert len(office.objects.kept) == 4
    assert office.call("get_media", media_id=media).status == 200


def test_a_version_that_was_superseded_still_holds_its_image_until_it_is_retired(office: Office) -> None:
    media = upload(office).body["media_id"]
    etag = offer_with(office, media).body["etag"]
    office.call("replace_offer", {"definition": FRIES}, definition_id="fries", if_match=etag)
    assert office.call("publish_offer", {}, definition_id="fries").status == 200
    assert office.call("delete_media", media_id=media).status == 409
    office.call("retire_offer", definition_id="fries")
    assert office.call("delete_media", media_id=media).status == 409
    office.house.now += 120_000
    assert office.call("delete_media", media_id=media).status == 204


def test_a_draft_does_not_hold_an_image_and_cannot_be_published_without_it(office: Office) -> None:
    media = upload(office).body["media_id"]
    office.call("create_offer", {"id": "fries", "definition": FRIES | {"content": {"en": {"title": "a", "image": media}}}})
    assert office.call("delete_media", media_id=media).status == 204
    assert office.call("publish_offer", {}, definition_id="fries").errors == [("/definition/content/en/image", "unknown_media")]


def test_a_tier_and_a_challenge_hold_their_images(office: Office) -> None:
    first, second = (upload(office, encoded(quarters(width, 100), "PNG")).body["media_id"] for width in (100, 101))
    levels = [{"id": "gold", "name": "Gold", "threshold": 10, "content": {"en": {"title": "Gold", "image": first}}}]
    office.house.publish("programme", "main", {"name": "Main", "earning": [], "tiers": {"levels": levels}})
    card = {"name": "Card", "goal": {"of": "visits", "threshold": 2}, "reward": {"badge": "b"}}
    card["content"] = {"en": {"title": "C", "image": second}}
    office.house.publish("challenge", "card", card)
    assert office.call("delete_media", media_id=first).body["detail"] == "Named by programme main."
    assert office.call("delete_media", media_id=second).body["detail"] == "Named by challenge card."


def test_a_publication_that_overtakes_a_deletion_is_seen_or_refused(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the check of the images and the write that publishes, the image goes: nothing is published."""
    media = upload(office).body["media_id"]
    office.call("create_offer", {"id": "fries", "definition": FRIES | {"content": {"en": {"title": "a", "image": media}}}})
    transact, deleted = office.house.table.transact, []

    def delete_first(batch: Any, token: str) -> None:
        if not deleted:
            deleted.append(office.call("delete_media", media_id=media).status)
        transact(batch, token)

    monkeypatch.setattr(type(office.house.table), "transact", lambda _self, batch, token: delete_first(batch, token))
    said = office.call("publish_offer", {}, definition_id="fries")
    assert deleted == [204]
    assert (said.status, said.body["code"]) == (412, "version_mismatch")
    assert office.call("get_offer", definition_id="fries").body["status"] == "draft"


def test_a_deletion_that_was_interrupted_goes_on_and_nothing_is_uploaded_into_it(office: Office) -> None:
    media = upload(office).body["media_id"]

    def fail() -> None:
        raise OSError("no storage")

    office.objects.before_each = fail
    assert office.call("delete_media", media_id=media).status == 500
    office.objects.before_each = lambda: pytest.fail("nothing is stored below what goes")
    said = upload(office)
    assert (said.status, said.body["code"]) == (409, "being_deleted")
    office.objects.before_each = lambda: None
    assert offer_with(office, media).errors == [("/definition/content/en/image", "unknown_media")]
    assert office.call("delete_media", media_id=media).status == 204
    assert office.objects.kept == {}


def test_the_bucket_keeps_what_guests_caches_are_told(cloud: Cloud) -> None:
    cloud.s3.create_bucket(Bucket="media-of-test")
    store = S3Store(cloud.s3, "media-of-test")
    store.publish("media/demo/med_1/320.webp", b"webp", "image/webp")
    found = cloud.s3.get_object(Bucket="media-of-test", Key="media/demo/med_1/320.webp")
    assert (found["ContentType"], found["CacheControl"]) == ("image/webp", "public, max-age=31536000, immutable")
    store.delete("media/demo/med_1/320.webp")
    store.delete("media/demo/med_1/320.webp")
    assert "Contents" not in cloud.s3.list_objects_v2(Bucket="media-of-test")


def test_an_upload_says_when_it_was(office: Office) -> None:
    office.house.now = NOW + 1000
    assert upload(office).body["uploaded_at"] == "2026-11-21T10:00:01Z"
