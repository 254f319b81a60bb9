# ruff: noqa: RUF001 (Russian letters are meant)
"""The texts that service messages have until a tenant writes its own: English, German, Russian. They tell, and offer nothing.

``default_content`` makes Liquid of them, as any text is (``shared.campaigns.content``). ``otp`` and ``consent_receipt`` show data of the
call that triggers them: ``data.code`` and ``data.minutes``, ``data.purpose``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

from shared.messaging.spoken import spoken

ServiceText = Literal[
    "points_landed", "coupon_received", "points_expiring", "coupon_expiring", "tier_changed", "return_recorded", "otp", "consent_receipt"
]
NAMES: Final[tuple[ServiceText, ...]] = get_args(ServiceText)
LANGUAGES: Final = ("en", "de", "ru")
SERVICE_TEXTS: Final[dict[ServiceText, dict[str, tuple[str, str]]]] = {
    "points_landed": {
        "en": ("Points added", "Thank you for your visit. Your balance: @balance@ points."),
        "de": ("Punkte gutgeschrieben", "Danke für deinen Besuch. Dein Punktestand: @balance@."),
        "ru": ("Баллы начислены", "Спасибо за визит. Баланс баллов: @balance@."),
    },
    "coupon_received": {
        "en": ("You received a coupon", "A new coupon is waiting for you. You find it among your coupons."),
        "de": ("Du hast einen Coupon erhalten", "Ein neuer Coupon wartet auf dich. Du findest ihn bei deinen Coupons."),
        "ru": ("Вы получили купон", "Вас ждёт новый купон. Вы найдёте его среди своих купонов."),
    },
    "points_expiring": {
        "en": ("Points expire soon", "@expiring@ of your points expire on @expiry@. Balance: @balance@."),
        "de": ("Punkte verfallen bald", "@expiring@ deiner Punkte verfallen am @expiry@. Dein Punktestand: @balance@."),
        "ru": ("Баллы скоро сгорят", "@expiry@ сгорает баллов: @expiring@. Баланс баллов: @balance@."),
    },
    "coupon_expiring": {
        "en": ("A coupon expires soon", "One of your coupons expires soon. You find it among your coupons."),
        "de": ("Ein Coupon läuft bald ab", "Einer deiner Coupons läuft bald ab. Du findest ihn bei deinen Coupons."),
        "ru": ("Срок купона истекает", "Срок действия одного из ваших купонов скоро истекает. Вы найдёте его среди своих купонов."),
    },
    "tier_changed": {
        "en": ("Your level has changed", "Your level at @tenant@ is now @tier@."),
        "de": ("Dein Status hat sich geändert", "Dein Status bei @tenant@ ist jetzt @tier@."),
        "ru": ("Ваш уровень изменился", "Ваш уровень в @tenant@: @tier@."),
    },
    "return_recorded": {
        "en": ("Your return is recorded", "We have recorded your return. Your balance: @balance@ points."),
        "de": ("Rückgabe erfasst", "Wir haben deine Rückgabe erfasst. Dein Punktestand: @balance@."),
        "ru": ("Возврат оформлен", "Возврат оформлен. Баланс баллов: @balance@."),
    },
    "otp": {
        "en": ("Your code", "@code@ is your code for @tenant@, valid for @minutes@ minutes. Do not pass it on."),
        "de": ("Dein Code", "@code@ ist dein Code für @tenant@, gültig für @minutes@ Minuten. Gib ihn nicht weiter."),
        "ru": ("Ваш код", "@code@ — ваш код для @tenant@, действует @minutes@ мин. Никому его не сообщайте."),
    },
    "consent_receipt": {
        "en": ("Your consent", "We have recorded your choice: @purpose@. You can change it at any time in the app."),
        "de": ("Deine Einwilligung", "Wir haben deine Entscheidung gespeichert: @purpose@. Du kannst sie jederzeit in der App ändern."),
        "ru": ("Ваше согласие", "Мы сохранили ваш выбор: @purpose@. Его можно изменить в приложении в любое время."),
    },
}
_WORDS: Final = {
    "balance": "{{ balance.@wallet@.points }}",
    "expiring": "{{ expiring.points }}",
    "expiry": "{{ expiring.expires_on | date: '@day@' }}",
    "tier": "{{ tier.title | default: tier.id }}",
    "tenant": "{{ tenant.name }}",
    "code": "{{ data.code }}",
    "minutes": "{{ data.minutes }}",
    "purpose": "{{ data.purpose }}",
}
"""What the words between ``@`` stand for."""
_DAYS: Final = {"en": "%Y-%m-%d"}
_DAY: Final = "%d.%m.%Y"
DATA: Final[dict[ServiceText, tuple[str, ...]]] = {"otp": ("code", "minutes"), "consent_receipt": ("purpose",)}
"""What the trigger of a message declares as its data."""


def plain_text(name: ServiceText, languages: Iterable[str], values: Mapping[str, str]) -> tuple[str, str]:
    """Title and body in the first of the languages that there is a text in, else English, with ``values`` in place of its words."""
    return spoken(SERVICE_TEXTS[name], languages, values)


def default_content(name: ServiceText, languages: Iterable[str], wallet: str = "points") -> dict[str, dict[str, str]]:
    """``content`` of a step in those of the languages that there is a text in (``de-AT`` is a ``de``), English if there is none."""
    texts = SERVICE_TEXTS[name]
    wanted = {language: base for language in languages if (base := language.partition("-")[0]) in texts} or {"en": "en"}
    return {language: _content(*texts[base], wallet, _DAYS.get(base, _DAY)) for language, base in wanted.items()}


def _content(title: str, body: str, wallet: str, day: str) -> dict[str, str]:
    for word, liquid in _WORDS.items():
        body = body.replace(f"@{word}@", liquid)
    return {"title": title, "body": body.replace("@wallet@", wallet).replace("@day@", day)}
