"""One image in, its files out: upright, in sRGB, without metadata, in several widths. The only place that imports Pillow.

A file comes from outside: its header is checked (``rules``) before anything of it is decoded, and it is decoded as the one format
that its header names. Of a moving image the first frame is kept.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

from PIL import Image, ImageCms, ImageOps

from shared.media import rules
from shared.media.errors import UnusableImage
from shared.media.model import File, Prepared
from shared.tenants.content import FALLBACK, WIDTHS

_WEBP_QUALITY: Final = 80
_JPEG_QUALITY: Final = 85
_ORIENTATION: Final = 0x0112
"""The tag of EXIF 2.32, section 4.6.5, that says how to turn the image."""
_ON_THEIR_SIDE: Final = frozenset({5, 6, 7, 8})
_WIDE_ENOUGH: Final = 2 * max(WIDTHS)
"""A JPEG is decoded at a half, quarter or eighth of its size as long as this remains: a fraction of the time and memory."""


def prepare(data: bytes, claimed: str) -> Prepared:
    """The files of an upload; ``UnusableImage`` for whatever is no whole image, or not of the type that was said."""
    header = rules.check(data, claimed)
    try:
        image, width, height = _decoded(data, header)
        transparent = _is_transparent(image)
        return Prepared(width, height, transparent, dict(_files(image, transparent=transparent)))
    except UnusableImage:
        raise
    except Exception as error:
        # The decoders of three formats raise whatever they stumble over, from struct.error to MemoryError; none of it is our fault.
        raise UnusableImage("unreadable", "it is damaged or incomplete") from error


def _decoded(data: bytes, header: rules.Header) -> tuple[Image.Image, int, int]:
    """The pixels, upright and in sRGB (RGB or RGBA), and the size of the upload, upright."""
    with Image.open(io.BytesIO(data), formats=[header.content_type.removeprefix("image/").upper()]) as opened:
        if opened.size != (header.width, header.height):
            raise UnusableImage("unreadable", "its parts differ about its size")
        rules.check_size(*opened.size)
        profile = opened.info.get("icc_profile")
        opened.draft(None, (_WIDE_ENOUGH, _WIDE_ENOUGH))
        opened.load()
        lies_on_its_side = opened.getexif().get(_ORIENTATION) in _ON_THEIR_SIDE
        pixels = _in_srgb(ImageOps.exif_transpose(opened), profile)
    width, height = (header.height, header.width) if lies_on_its_side else (header.width, header.height)
    return pixels, width, height


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """In RGB or RGBA, converted by its colour profile where that can be read; one that cannot counts as sRGB."""
    if image.mode.startswith("I"):
        # Sixteen bits of grey: the upper eight.
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    has_alpha = "A" in image.mode or "a" in image.mode or "transparency" in image.info
    alpha = image.convert("RGBA").getchannel("A") if has_alpha else None
    base = {"RGBA": "RGB", "RGBa": "RGB", "LA": "L", "La": "L", "P": "RGB", "PA": "RGB", "1": "L"}.get(image.mode, image.mode)
    # A palette goes by RGBA: a transparent entry is no colour of its own.
    opaque = image.convert("RGBA").convert("RGB") if image.mode in ("P", "PA") else image.convert(base)
    plain = _by_profile(opaque, profile) if profile else opaque.convert("RGB")
    if alpha is not None:
        plain.putalpha(alpha)
    return plain


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image.convert("RGB")
    assert converted is not None
    return converted


def _is_transparent(image: Image.Image) -> bool:
    """Whether any pixel is: an alpha channel that says nothing is dropped from the fallback."""
    if image.mode != "RGBA":
        return False
    least, _ = image.getchannel("A").getextrema()
    return isinstance(least, int | float) and least < 255


def _files(image: Image.Image, *, transparent: bool) -> Iterator[tuple[str | int, File]]:
    """The widest first, each smaller one from the whole. Nothing is enlarged."""
    image = image if transparent else image.convert("RGB")
    for width in WIDTHS:
        yield width, File(_encoded(_narrowed(image, width), "WEBP", quality=_WEBP_QUALITY, method=4), "image/webp")
    fallback = _narrowed(image, max(WIDTHS))
    if transparent:
        yield FALLBACK, File(_encoded(fallback, "PNG", optimize=True), "image/png")
    else:
        yield FALLBACK, File(_encoded(fallback, "JPEG", quality=_JPEG_QUALITY, optimize=True, progressive=True), "image/jpeg")


def _narrowed(image: Image.Image, width: int) -> Image.Image:
    if image.width <= width:
        return image.copy()
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _encoded(image: Image.Image, form: str, **options: bool | int) -> bytes:
    # What the decoder remembered (camera, place, colour profile, texts) is not written again.
    image.info = {}
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()
