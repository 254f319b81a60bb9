"""What becomes of an image: upright, in sRGB, without what the camera knew, in three widths; what is broken is refused."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from shared.media.errors import UnusableImage
from shared.media.images import prepare
from shared.media.model import Prepared
from tests.unit.media.pictures import BLUE, GREEN, RED, WHITE, encoded, near, opened, png_that_says, quarters

SECRET = b"52.5200N 13.4050E"
FORMS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
GOOD = {content_type: encoded(quarters(640, 320), form) for content_type, form in FORMS.items()}


def with_place(orientation: int = 1) -> Image.Exif:
    """EXIF of a phone: how it was held, and where."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = SECRET.decode()
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[29] = SECRET.decode()
    return exif


def corners(image: Image.Image) -> list[Any]:
    """The middle of each quarter: upper left, upper right, lower left, lower right."""
    width, height = image.size
    return [image.convert("RGB").getpixel((x, y)) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]


def looks_like_the_quarters(prepared: Prepared) -> bool:
    return all(
        near(seen, wanted)
        for file in prepared.files.values()
        for seen, wanted in zip(corners(opened(file.body)), (RED, GREEN, BLUE, WHITE), strict=True)
    )


@pytest.mark.parametrize("content_type", FORMS)
def test_three_widths_as_webp_and_one_file_for_everybody(content_type: str) -> None:
    prepared = prepare(encoded(quarters(2000, 1000), FORMS[content_type]), content_type)
    found = {name: (opened(file.body).format, opened(file.body).size, file.content_type) for name, file in prepared.files.items()}
    assert found == {
        320: ("WEBP", (320, 160), "image/webp"),
        640: ("WEBP", (640, 320), "image/webp"),
        1280: ("WEBP", (1280, 640), "image/webp"),
        "fallback": ("JPEG", (1280, 640), "image/jpeg"),
    }
    assert (prepared.width, prepared.height, prepared.transparent) == (2000, 1000, False)
    assert looks_like_the_quarters(prepared)


def test_nothing_is_enlarged() -> None:
    prepared = prepare(encoded(quarters(500, 250), "PNG"), "image/png")
    assert [opened(file.body).width for file in prepared.files.values()] == [320, 500, 500, 500]


def test_a_narrow_strip_keeps_a_line() -> None:
    prepared = prepare(encoded(quarters(8000, 64), "PNG"), "image/png")
    assert [opened(file.body).size for file in prepared.files.values()] == [(320, 3), (640, 5), (1280, 10), (1280, 10)]


@pytest.mark.parametrize("profile", [None, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"garbage" * 40])
@pytest.mark.parametrize("content_type", FORMS)
def test_what_the_camera_knew_is_gone(content_type: str, profile: bytes | None) -> None:
    extra: dict[str, Any] = {"comment": SECRET} if content_type == "image/jpeg" else {}
    data = encoded(quarters(), FORMS[content_type], exif=with_place().tobytes(), icc_profile=profile, **extra)
    assert SECRET in data
    for file in prepare(data, content_type).files.values():
        assert SECRET not in file.body
        assert not {"exif", "icc_profile", "comment", "xmp"} & set(opened(file.body).info)
        assert not opened(file.body).getexif()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("content_type", ["image/jpeg", "image/webp"])
def test_it_is_turned_as_the_camera_was_held(content_type: str, orientation: int) -> None:
    upright = quarters(400, 200)
    # What a camera stores that was held so: the inverse of what the tag asks for.
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation]))
    data = encoded(stored, FORMS[content_type], exif=with_place(orientation).tobytes())
    prepared = prepare(data, content_type)
    assert (prepared.width, prepared.height) == (400, 200)
    assert opened(prepared.files[320].body).size == (320, 160)
    assert looks_like_the_quarters(prepared)


def test_what_is_transparent_stays_transparent_in_every_file() -> None:
    image = quarters(800, 400, "RGBA")
    image.putalpha(Image.linear_gradient("L").resize((800, 400)))
    prepared = prepare(encoded(image, "PNG"), "image/png")
    assert prepared.transparent
    assert prepared.files["fallback"].content_type == "image/png"
    for file in prepared.files.values():
        alpha = opened(file.body).convert("RGBA").getchannel("A")
        assert (alpha.getpixel((10, 1)) or 0) < 20
        assert (alpha.getpixel((10, alpha.height - 2)) or 0) > 235


def test_an_alpha_channel_that_says_nothing_needs_no_png() -> None:
    prepared = prepare(encoded(quarters(mode="RGBA"), "PNG"), "image/png")
    assert (prepared.transparent, prepared.files["fallback"].content_type) == (False, "image/jpeg")


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA", "I;16", "CMYK"])
def test_every_kind_of_pixel_is_read(mode: str) -> None:
    grey = Image.new("RGB", (100, 100), (200, 200, 200))
    image = Image.new("I;16", (100, 100), 200 * 256) if mode == "I;16" else grey.convert(mode)
    form, content_type = ("JPEG", "image/jpeg") if mode == "CMYK" else ("PNG", "image/png")
    prepared = prepare(encoded(image, form), content_type)
    seen = opened(prepared.files["fallback"].body).convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert near(seen, (200, 200, 200))


def test_a_transparent_colour_of_a_palette_stays_transparent() -> None:
    image = Image.new("P", (100, 100), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (0, 0, 50, 100))
    prepared = prepare(encoded(image, "PNG", transparency=1), "image/png")
    fallback = opened(prepared.files["fallback"].body).convert("RGBA")
    assert (fallback.getpixel((10, 50)) or (0,) * 4)[3] == 0  # type: ignore[index]
    assert fallback.getpixel((90, 50)) == (255, 0, 0, 255)


def test_colours_are_converted_to_srgb_by_the_profile_of_the_file() -> None:
    """A profile whose red and blue are sRGB's blue and red: converted, they have changed places; passed over, they have not."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = plain.replace(b"rXYZ", b"....").replace(b"bXYZ", b"rXYZ").replace(b"....", b"bXYZ")
    image = Image.new("RGB", (100, 100), (180, 60, 40))
    for profile, wanted in ((plain, (180, 60, 40)), (swapped, (40, 60, 180))):
        for content_type, form in FORMS.items():
            prepared = prepare(encoded(image, form, icc_profile=profile), content_type)
            assert near(opened(prepared.files["fallback"].body).getpixel((50, 50)), wanted, by=12), content_type


def test_the_profile_of_another_kind_of_pixel_is_passed_over() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert looks_like_the_quarters(prepare(encoded(quarters(), "PNG", icc_profile=lab), "image/png"))


def test_a_profile_that_is_garbage_is_passed_over() -> None:
    prepared = prepare(encoded(quarters(), "PNG", icc_profile=b"garbage" * 40), "image/png")
    assert looks_like_the_quarters(prepared)


@pytest.mark.parametrize(("form", "content_type"), [("PNG", "image/png"), ("WEBP", "image/webp")])
def test_of_a_moving_image_the_first_frame_is_kept(form: str, content_type: str) -> None:
    frames = [Image.new("RGB", (100, 100), colour) for colour in (RED, BLUE)]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
    for file in prepare(data, content_type).files.values():
        image = opened(file.body)
        assert getattr(image, "n_frames", 1) == 1
        assert near(image.convert("RGB").getpixel((50, 50)), RED)


def test_a_bomb_is_refused_without_the_memory_that_it_promises() -> None:
    data = png_that_says(30_000, 30_000)
    tracemalloc.start()
    with pytest.raises(UnusableImage) as refused:
        prepare(data, "image/png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [each.code for each in refused.value.errors] == ["too_many_pixels"]
    assert peak < 1_000_000


def test_a_header_that_promises_more_than_there_is_is_refused() -> None:
    with pytest.raises(UnusableImage) as refused:
        prepare(png_that_says(4000, 4000), "image/png")
    assert [each.code for each in refused.value.errors] == ["unreadable"]


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("image/webp", encoded(quarters(), "WEBP", exif=b"Exif\0\0MMh*" + bytes(20))),
        ("image/png", GOOD["image/png"][:11] + b"\x05" + GOOD["image/png"][12:]),
    ],
)
def test_whatever_a_decoder_stumbles_over_is_the_files_fault(content_type: str, data: bytes) -> None:
    with pytest.raises(UnusableImage) as refused:
        prepare(data, content_type)
    assert [each.code for each in refused.value.errors] == ["unreadable"]
    assert not isinstance(refused.value.__cause__, OSError)


def only_a_clear_refusal(data: bytes, content_type: str) -> bool:
    """Whether it was refused; any other exception goes through and fails the test."""
    try:
        prepared = prepare(data, content_type)
    except UnusableImage as refused:
        ((error),) = refused.errors
        assert error.code in {"unreadable", "not_an_image", "other_type", "too_small", "too_many_pixels"}
        return True
    assert set(prepared.files) == {320, 640, 1280, "fallback"}
    return False


@pytest.mark.parametrize("content_type", FORMS)
def test_a_file_that_was_cut_off_is_refused(content_type: str) -> None:
    data = GOOD[content_type]
    for part in range(40):
        assert only_a_clear_refusal(data[: len(data) * part // 40], content_type), part


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.sampled_from(sorted(FORMS)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_damaged_file_is_an_image_or_a_clear_refusal(content_type: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD[content_type])
    for place, value in damage:
        data[place % len(data)] = value
    only_a_clear_refusal(bytes(data), content_type)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(FORMS)), st.binary(max_size=400), st.integers(8, 200))
def test_a_good_start_with_anything_behind_it_is_an_image_or_a_clear_refusal(content_type: str, rest: bytes, kept: int) -> None:
    only_a_clear_refusal(GOOD[content_type][:kept] + rest, content_type)
