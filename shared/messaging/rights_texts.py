# ruff: noqa: RUF001 (Russian letters are meant)
"""What a member is written about her rights: English, German, Russian. They tell and ask, and offer nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from shared.messaging.spoken import spoken

RightsText = Literal["confirm_consent", "restriction_set", "restriction_lifted", "inactive"]
_TEXTS: Final[dict[RightsText, dict[str, tuple[str, str]]]] = {
    "confirm_consent": {
        "en": (
            "Please confirm: e-mails from @tenant@",
            ("Somebody, we hope you, asked for e-mails from @tenant@ to this address.\n\nConfirm it here:\n@link@\n\n"
            "The link is good for 7 days. If it was not you, do nothing: you get no e-mails of this kind."),
        ),
        "de": (
            "Bitte bestätigen: E-Mails von @tenant@",
            ("Jemand, hoffentlich du, möchte E-Mails von @tenant@ an diese Adresse.\n\nHier bestätigst du es:\n@link@\n\n"
            "Der Link gilt 7 Tage. Warst du es nicht, musst du nichts tun: Du bekommst dann keine solchen E-Mails."),
        ),
        "ru": (
            "Подтвердите: письма от @tenant@",
            ("Кто-то, надеемся, вы, попросил присылать письма от @tenant@ на этот адрес.\n\nПодтвердите здесь:\n@link@\n\n"
            "Ссылка действует 7 дней. Если это были не вы, ничего не делайте: таких писем не будет."),
        ),
    },
    "inactive": {
        "en": (
            "Do you want to stay a member of @tenant@?",
            ("You have not been with @tenant@ for long. On @day@ your membership, your points and your data will be erased. "
            "Sign in, or use your card, if you want to stay."),
        ),
        "de": (
            "Möchtest du Mitglied bei @tenant@ bleiben?",
            ("Du warst lange nicht bei @tenant@. Am @day@ werden deine Mitgliedschaft, deine Punkte und deine Daten gelöscht. "
            "Melde dich an oder nutze deine Karte, wenn du bleiben möchtest."),
        ),
        "ru": (
            "Остаться участником @tenant@?",
            ("Вы давно не были в @tenant@. @day@ участие, баллы и ваши данные будут удалены. "
            "Войдите в приложение или воспользуйтесь картой, если хотите остаться."),
        ),
    },
    "restriction_set": {
        "en": (
            "Your data are set aside",
            ("The use of your data at @tenant@ is restricted. Your points, coupons and card go on as before; "
            "your data are used for nothing else, and you get no news, until this ends. We tell you when it does."),
        ),
        "de": (
            "Die Nutzung deiner Daten ruht",
            ("Die Verarbeitung deiner Daten bei @tenant@ ist eingeschränkt. Punkte, Coupons und Karte gelten weiter; "
            "für anderes werden deine Daten nicht verwendet, und du bekommst keine Neuigkeiten, bis das endet. Dann sagen wir Bescheid."),
        ),
        "ru": (
            "Использование ваших данных ограничено",
            ("Обработка ваших данных в @tenant@ ограничена. Баллы, купоны и карта действуют как прежде; "
            "ни для чего другого данные не используются, и новостей не будет, пока ограничение не снято. Мы сообщим, когда его снимут."),
        ),
    },
    "restriction_lifted": {
        "en": (
            "Your data are used again",
            "The restriction on the use of your data at @tenant@ has ended. You may object, or ask for it again, in the app.",
        ),
        "de": (
            "Deine Daten werden wieder verwendet",
            "Die Einschränkung der Verarbeitung deiner Daten bei @tenant@ ist aufgehoben. In der App kannst du sie erneut verlangen.",
        ),
        "ru": (
            "Ваши данные снова используются",
            "Ограничение обработки ваших данных в @tenant@ снято. В приложении можно потребовать его снова.",
        ),
    },
}  # fmt: skip


def rights_text(name: RightsText, languages: Iterable[str], values: Mapping[str, str]) -> tuple[str, str]:
    """Title and body in the first of the languages that there is a text in, else English."""
    return spoken(_TEXTS[name], languages, values)
