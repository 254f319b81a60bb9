"""The few pages that guests see of us: to unsubscribe, to confirm a consent, that it is done, that a link leads nowhere. Pure.

English, German, Russian.

They say nothing about the guest: whoever has the link need not be her. No script, no picture, nothing from elsewhere.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Final, Literal

Page = Literal["ask", "done", "unknown", "confirm", "confirmed"]
ONE_CLICK_FIELD: Final = "List-Unsubscribe"
ONE_CLICK_VALUE: Final = "One-Click"
"""What a POST must say (RFC 8058, 3.1); the page's own button says the same."""
CONFIRM_FIELD: Final = "confirm"
CONFIRM_VALUE: Final = "yes"
"""What the button says that confirms a consent."""
HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}
GIF: Final = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""One transparent pixel, 43 bytes."""
_TEXTS: Final[dict[str, dict[Page, tuple[str, str]]]] = {
    "en": {
        "ask": ("Unsubscribe?", "You will get no more messages of this kind from @tenant@ over this channel."),
        "confirm": ("E-mails from @tenant@?", "Confirm that you want e-mails from @tenant@. You can take it back at any time."),
        "confirmed": ("Confirmed", "Thank you. @tenant@ may now write to you. Each e-mail has a link to unsubscribe."),
        "done": ("Unsubscribed", "No more messages of this kind will come from @tenant@. You can allow them again in the app at any time."),
        "unknown": (
            "This link leads nowhere",
            (
                "It is incomplete, or what it led to is gone. "
                "Try it again from the message itself, or ask whoever sent it."
            ),
        ),
    },
    "de": {
        "ask": ("Abmelden?", "Du bekommst dann keine Nachrichten dieser Art mehr von @tenant@ auf diesem Weg."),
        "confirm": ("E-Mails von @tenant@?", "Bestätige, dass du E-Mails von @tenant@ möchtest. Du kannst es jederzeit widerrufen."),
        "confirmed": ("Bestätigt", "Danke. @tenant@ darf dir jetzt schreiben. In jeder E-Mail ist ein Link zum Abmelden."),
        "done": ("Abgemeldet", "Nachrichten dieser Art kommen nicht mehr von @tenant@. In der App kannst du sie jederzeit erlauben."),
        "unknown": (
            "Dieser Link führt nirgendwohin",
            (
                "Er ist unvollständig, oder sein Ziel gibt es nicht mehr. "
                "Öffne ihn noch einmal aus der Nachricht, oder frag den Absender."
            ),
        ),
    },
    "ru": {
        "ask": ("Отписаться?", "Вы больше не будете получать такие сообщения от @tenant@ по этому каналу."),
        "confirm": ("Письма от @tenant@?", "Подтвердите, что хотите получать письма от @tenant@. Отказаться можно в любое время."),
        "confirmed": ("Подтверждено", "Спасибо. Теперь @tenant@ может вам писать. Ссылка для отписки есть в каждом письме."),
        "done": ("Вы отписались", "Такие сообщения от @tenant@ больше не придут. Разрешить их снова можно в приложении в любое время."),
        "unknown": (
            "Ссылка никуда не ведёт",
            (
                "Она неполная, или того, на что она вела, больше нет. "
                "Откройте её ещё раз из сообщения или спросите отправителя."
            ),
        ),
    },
}
_BUTTONS: Final[dict[str, dict[Page, tuple[str, str, str]]]] = {
    language: {"ask": (unsubscribe, ONE_CLICK_FIELD, ONE_CLICK_VALUE), "confirm": (confirm, CONFIRM_FIELD, CONFIRM_VALUE)}
    for language, unsubscribe, confirm in (
        ("en", "Unsubscribe", "Yes, I want e-mails"), ("de", "Abmelden", "Ja, ich möchte E-Mails"), ("ru", "Отписаться", "Да, хочу письма"),
    )
}
"""Of the pages with a button: what it says, and the field and value that it sends."""
_STYLE: Final = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1.5rem;color:#222;background:#fff}"
    "body{overflow-wrap:anywhere}"
    "h1{font-size:1.4rem}button{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:.4rem;background:#222;color:#fff;cursor:pointer}"
)


def language_of(wanted: Iterable[str]) -> str:
    """The first of the languages that there are pages in (``de-AT`` is a ``de``); else English."""
    return next((base for each in wanted if (base := each.partition("-")[0].lower()) in _TEXTS), "en")


def accepted(header: str) -> list[str]:
    """The languages of an Accept-Language header, in its order; weights are not looked at."""
    return [each.partition(";")[0].strip() for each in header[:200].split(",")]


def page(which: Page, language: str, tenant: str = "") -> str:
    """A page. ``tenant``: its name."""
    title, text = (html.escape(each.replace("@tenant@", tenant)) for each in _TEXTS[language][which])
    button = ""
    if which in _BUTTONS[language]:
        label, name, value = _BUTTONS[language][which]
        button = f'<form method="post"><input type="hidden" name="{name}" value="{value}"><button type="submit">{label}</button></form>'
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1><p>{text}</p>{button}</main></body></html>\n"
    )


def says_yes(body: bytes) -> bool:
    """Whether a POST is that of the button that confirms."""
    return f"{CONFIRM_FIELD}={CONFIRM_VALUE}" in body[:4096].decode("latin-1").split("&")


def says_one_click(body: bytes) -> bool:
    """Whether a POST says what RFC 8058 wants, as a form or as multipart: the name and its value, once each."""
    text = body[:4096].decode("latin-1")
    as_form = f"{ONE_CLICK_FIELD}={ONE_CLICK_VALUE}" in text.split("&")
    as_parts = f'name="{ONE_CLICK_FIELD}"' in text and ONE_CLICK_VALUE in (line.strip() for line in text.split("\n"))
    return as_form or as_parts
