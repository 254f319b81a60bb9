"""Headings of the readable file: English, German, Russian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final = ("en", "de", "ru")
HEADINGS: Final[Mapping[str, tuple[str, str]]] = {
    "first_name": ("Vorname", "Имя"),
    "last_name": ("Nachname", "Фамилия"),
    "birth_date": ("Geburtsdatum", "Дата рождения"),
    "gender": ("Geschlecht", "Пол"),
    "language": ("Sprache", "Язык"),
    "phone": ("Telefonnummer", "Телефон"),
    "email": ("E-Mail-Adresse", "Электронная почта"),
    "street": ("Straße und Hausnummer", "Улица и дом"),
    "postal_code": ("Postleitzahl", "Почтовый индекс"),
    "city": ("Ort", "Город"),
    "country": ("Land", "Страна"),
    "home": ("Wohnort auf der Karte", "Место жительства на карте"),
    "sealed facts": ("Angaben für Segmente", "Данные для сегментов"),
    "identifiers": ("Anmeldungen und Karten", "Входы и карты"),
    "attributes and tags": ("Merkmale und Markierungen", "Признаки и метки"),
    "consents": ("Einwilligungen", "Согласия"),
    "restriction": ("Einschränkung der Verarbeitung", "Ограничение обработки"),
    "devices": ("Geräte", "Устройства"),
    "sessions": ("Sitzungen", "Сеансы"),
    "Apple's token": ("Apples Zugangsschlüssel", "Ключ Apple"),
    "staff accounts": ("Konten der Mitarbeiter", "Учётные записи сотрудников"),
    "recipients of tests": ("Empfänger von Tests", "Получатели тестовых сообщений"),
    "one-time codes": ("Einmalcodes", "Одноразовые коды"),
    "confirmation mails": ("Bestätigungsmails", "Письма для подтверждения"),
    "confirmations": ("Bestätigungen an der Kasse", "Подтверждения на кассе"),
    "names of cashiers": ("Namen der Kassierer", "Имена кассиров"),
    "profile of purchases": ("Einkaufsprofil und Segmente", "Профиль покупок и сегменты"),
    "snapshot": ("Abbild für Auswertungen", "Снимок для анализа"),
    "ledger": ("Punktebuchungen", "Движение баллов"),
    "sales": ("Einkäufe", "Покупки"),
    "coupons and claims": ("Coupons und Prämien", "Купоны и награды"),
    "deliveries": ("Zustellungen", "Доставки сообщений"),
    "inbox": ("Posteingang", "Входящие"),
    "objections": ("Widersprüche", "Возражения"),
    "exports": ("Exporte", "Выгрузки"),
    "merges": ("Zusammengeführte Mitgliedschaften", "Объединённые участия"),
    "imports": ("Importe", "Загрузки"),
    "sent messages": ("Versandte Nachrichten", "Отправленные сообщения"),
    "access files": ("Auskunftsdateien", "Файлы данных"),
    "erasure": ("Löschung", "Удаление"),
    "audit log": ("Zugriffsprotokoll", "Журнал доступа"),
    "her key": ("Schlüssel", "Ключ"),
}
"""Entry of the registry -> German, Russian. In English an entry's own name is its heading."""
FRAME: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "title": "Your data", "what": "What", "purposes": "What for", "legal_grounds": "Legal ground", "recipients": "Recipients",
        "kept": "Kept for", "protection": "Protected", "nothing": "Nothing is kept.", "made_at": "Made at", "controller": "Controller",
        "member_id": "Member",
    },
    "de": {
        "title": "Ihre Daten", "what": "Was", "purposes": "Wofür", "legal_grounds": "Rechtsgrundlage", "recipients": "Empfänger",
        "kept": "Aufbewahrung", "protection": "Schutz", "nothing": "Nichts gespeichert.", "made_at": "Erstellt am",
        "controller": "Verantwortlich", "member_id": "Mitglied",
    },
    "ru": {
        "title": "Ваши данные", "what": "Что", "purposes": "Для чего", "legal_grounds": "Основание", "recipients": "Получатели",
        "kept": "Срок хранения", "protection": "Защита", "nothing": "Ничего не хранится.", "made_at": "Составлено",
        "controller": "Ответственный", "member_id": "Участник",
    },
}  # fmt: skip


def heading(entry: str, language: str) -> str:
    """What an entry of the registry is called."""
    if language == "en":
        return entry.replace("_", " ").capitalize()
    return HEADINGS[entry][LANGUAGES.index(language) - 1]
