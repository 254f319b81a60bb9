# ruff: noqa: RUF001 (Russian letters are meant)
"""What a guest reads when a till asks her to confirm something: English, German, Russian. Nothing personal, and no numbers of points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from shared.messaging.spoken import spoken

CounterText = Literal["confirmation_code", "confirmation_asked"]
_TEXTS: Final[dict[CounterText, dict[str, tuple[str, str]]]] = {
    "confirmation_code": {
        "en": ("Confirm at the counter", "@code@ confirms that you spend points at @tenant@ now. Tell it only at the counter."),
        "de": ("An der Kasse bestätigen", "@code@ bestätigt, dass du jetzt bei @tenant@ Punkte einlöst. Sag ihn nur an der Kasse."),
        "ru": ("Подтверждение на кассе", "@code@ — подтверждение списания баллов в @tenant@. Назовите его только на кассе."),
    },
    "confirmation_asked": {
        "en": ("Do you spend points now?", "@tenant@ asks for your confirmation at the counter. Open the app."),
        "de": ("Löst du gerade Punkte ein?", "@tenant@ bittet an der Kasse um deine Bestätigung. Öffne die App."),
        "ru": ("Вы сейчас списываете баллы?", "@tenant@ просит подтверждения на кассе. Откройте приложение."),
    },
}  # fmt: skip


def counter_text(name: CounterText, languages: Iterable[str], values: Mapping[str, str]) -> tuple[str, str]:
    """Title and body in the first of the languages that there is a text in, else English."""
    return spoken(_TEXTS[name], languages, values)
