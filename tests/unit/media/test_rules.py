"""Whether a header is that of an image that we take: nothing is decoded for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.media.errors import UnusableImage
from shared.media.model import MAX_BYTES, id_of
from shared.media.rules import Header, check, header_of
from tests.unit.media.pictures import encoded, png_that_says, quarters


def code_of(data: bytes, claimed: str) -> tuple[str, str]:
    with pytest.raises(UnusableImage) as refused:
        check(data, claimed)
    ((error),) = refused.value.errors
    return error.pointer, error.code


@pytest.mark.parametrize(
    ("form", "options", "content_type"),
    [
        ("PNG", {}, "image/png"),
        ("JPEG", {}, "image/jpeg"),
        ("JPEG", {"progressive": True, "comment": b"x" * 3000}, "image/jpeg"),
        ("WEBP", {}, "image/webp"),
        ("WEBP", {"lossless": True}, "image/webp"),
        ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}, "image/webp"),
    ],
)
def test_the_header_says_type_and_size(form: str, options: dict[str, object], content_type: str) -> None:
    assert header_of(encoded(quarters(301, 103), form, **options)) == Header(content_type, 301, 103)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + bytes(40), b"%PDF-1.7", bytes(500)])
def test_what_is_no_such_image_is_refused(data: bytes) -> None:
    assert code_of(data, "image/png") == ("/data", "not_an_image")


def test_a_gif_by_another_name_is_refused() -> None:
    assert code_of(encoded(quarters(), "GIF"), "image/png") == ("/data", "not_an_image")


def test_the_type_is_that_of_the_bytes_and_not_what_is_said() -> None:
    assert code_of(encoded(quarters(), "PNG"), "image/jpeg") == ("/content_type", "other_type")


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [
        (64, 64, None), (63, 64, "too_small"), (64, 63, "too_small"), (8000, 5000, None), (8001, 64, "too_many_pixels"),
        (64, 8001, "too_many_pixels"), (8000, 5001, "too_many_pixels"), (0, 100, "too_small"), (2**31 - 1, 2**31 - 1, "too_many_pixels"),
    ],
)  # fmt: skip
def test_sides_and_pixels_have_bounds(width: int, height: int, code: str | None) -> None:
    data = png_that_says(width, height)
    if code is None:
        assert check(data, "image/png") == Header("image/png", width, height)
    else:
        assert code_of(data, "image/png") == ("/data", code)


def test_a_file_has_at_most_4_mb() -> None:
    data = encoded(quarters(), "PNG")
    assert check(data + bytes(MAX_BYTES - len(data)), "image/png").width == 200
    assert code_of(data + bytes(MAX_BYTES - len(data) + 1), "image/png") == ("/data", "too_large")


def test_the_same_content_has_the_same_id() -> None:
    assert id_of(b"a") == id_of(b"a") != id_of(b"b")
    assert id_of(b"a") == "med_ca978112ca1bbdcafac231b39a23dc4d"


STARTS = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF....WEBPVP8 ", b"RIFF....WEBPVP8X", b"RIFF....WEBPVP8L", b""]


@given(st.sampled_from(STARTS), st.binary())
def test_reading_a_header_ends_and_never_fails(start: bytes, rest: bytes) -> None:
    found = header_of(start + rest)
    assert found is None or (found.width >= 0 and found.height >= 0)


def test_a_jpeg_of_empty_segments_is_read_to_its_end() -> None:
    assert header_of(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 10_000) is None
    assert header_of(b"\xff\xd8" + b"\xff" * 100_000) is None
