"""How a tenant looks where guests see it: name, colours, logo."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from shared.tenants.base import MEDIA_PATTERN, Frozen, Label

Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]
READABLE: Final = 4.5
"""The least contrast of text (WCAG 2.2, success criterion 1.4.3)."""
VISIBLE: Final = 3.0
"""And of a button with the white page round it (1.4.11)."""


class Branding(Frozen):
    """The pages that guests open from messages, and e-mails: those about their rights, and of campaigns those without HTML of their own."""

    name: Label | None = Field(default=None, description="none: the tenant's name")
    color: Color = Field(default="#222222", description="of buttons; visible on white")
    on_color: Color = Field(default="#ffffff", description="of text on buttons; readable on their colour")
    logo: Annotated[str, Field(pattern=MEDIA_PATTERN)] | None = Field(default=None, description="an image of POST /v1/media")

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if contrast(self.color, self.on_color) < READABLE:
            raise ValueError(f"on_color on color has a contrast of less than {READABLE} to 1")
        if contrast(self.color, "#ffffff") < VISIBLE:
            raise ValueError(f"color on white has a contrast of less than {VISIBLE} to 1")
        return self


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio" and "relative luminance")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    red, green, blue = (_linear(int(color[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
