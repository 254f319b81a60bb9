"""A form's page, for whoever opens its link in a browser: the fields, what is wrong with each, that it is taken. Pure.

English, German, Russian. No script, no picture, nothing from elsewhere. It says nothing about the guest: whoever has the link need
not be her. What she typed comes back to her if it does not fit.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from shared.campaigns.api import FormField
from shared.kernel.errors import FieldError

FORM_TYPE: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 20
_LABELS: Final[Mapping[str, tuple[str, str, str]]] = {
    "birth_date": ("Date of birth", "Geburtsdatum", "Дата рождения"),
    "first_name": ("First name", "Vorname", "Имя"),
    "last_name": ("Last name", "Nachname", "Фамилия"),
    "gender": ("Gender", "Geschlecht", "Пол"),
    "language": ("Language (such as en)", "Sprache (etwa de)", "Язык (например, ru)"),
    "email": ("E-mail", "E-Mail", "Эл. почта"),
    "phone": ("Phone", "Telefon", "Телефон"),
    "street": ("Street", "Straße", "Улица"),
    "postal_code": ("Postal code", "Postleitzahl", "Индекс"),
    "city": ("City", "Ort", "Город"),
    "country": ("Country (two letters)", "Land (zwei Buchstaben)", "Страна (две буквы)"),
    "female": ("female", "weiblich", "женский"),
    "male": ("male", "männlich", "мужской"),
    "other": ("other", "divers", "другой"),
    "choose": ("Choose", "Bitte wählen", "Выберите"),
    "title": ("A few questions", "Ein paar Fragen", "Несколько вопросов"),
    "asks": ("@tenant@ would like to know:", "@tenant@ möchte gern wissen:", "@tenant@ хотели бы узнать:"),
    "send": ("Send", "Absenden", "Отправить"),
    "wrong": ("Some answers need another look.", "Einige Angaben stimmen noch nicht.", "Проверьте, пожалуйста, ответы."),
    "required": ("Please fill this in.", "Bitte ausfüllen.", "Заполните, пожалуйста."),
    "invalid": ("This does not look right: please check it.", "Das stimmt so nicht, bitte prüfen.", "Здесь ошибка, проверьте, пожалуйста."),
    "done": ("Thank you", "Danke", "Спасибо"),
    "taken": ("@tenant@ has your answers.", "Deine Antworten sind bei @tenant@.", "Ваши ответы получены: @tenant@."),
    "again": (
        "This form was sent already. A second time changes nothing.",
        "Dieses Formular wurde schon abgeschickt. Ein zweites Mal ändert nichts.",
        "Эта форма уже отправлена. Второй раз ничего не изменит.",
    ),
    "gift": ("You got: @gift@. Look in the app.", "Du hast bekommen: @gift@. Sieh in die App.", "Вы получили: @gift@. Ищите в приложении."),
}
_LANGUAGES: Final = ("en", "de", "ru")
_INPUTS: Final = {"date": 'type="date"', "email": 'type="email"', "phone": 'type="tel"', "language": 'type="text"', "text": 'type="text"'}
_FILLS: Final = {
    "birth_date": "bday", "first_name": "given-name", "last_name": "family-name", "gender": "sex", "language": "language", "email": "email",
    "phone": "tel", "street": "street-address", "postal_code": "postal-code", "city": "address-level2", "country": "country",
}  # fmt: skip
"""What a browser may fill in by itself (HTML's autofill field names)."""
_STYLE: Final = (
    "*{box-sizing:border-box}"
    "body{font:18px/1.5 system-ui,sans-serif;max-width:32rem;margin:8vh auto;padding:0 1.5rem;color:#222;background:#fff}"
    "body{overflow-wrap:anywhere}h1{font-size:1.4rem}label{display:block;margin-top:1.2rem}[role=alert],.wrong{color:#a11}"
    "input,select{font:inherit;width:100%;padding:.5rem;border:1px solid #777;border-radius:.4rem;background:#fff;color:#222}"
    ".wrong{margin:.2rem 0 0}[aria-invalid]{border-color:#a11}"
    "button{font:inherit;margin-top:1.5rem;padding:.6rem 1.4rem;border:0;border-radius:.4rem;background:#222;color:#fff;cursor:pointer}"
)


def wanted(headers: Mapping[str, str]) -> bool:
    """Whether a browser asks, and not an app: it takes HTML (headers by lower-case name)."""
    return "text/html" in headers.get("accept", "")


def given(body: bytes) -> dict[str, str]:
    """What was typed, by field; what was left empty is not there. More fields than a form can have are none of ours."""
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), max_num_fields=_MAX_FIELDS)
    except ValueError:
        return {}
    return {name: value.strip() for name, value in pairs if value.strip()}


def asking(
    fields: Iterable[FormField], language: str, tenant: str, typed: Mapping[str, str] | None = None, wrong: Iterable[FieldError] = ()
) -> str:
    """The form. ``typed`` and ``wrong``: of an attempt that did not fit."""
    problems = {each.pointer.removeprefix("/values/"): each.code for each in wrong}
    inner = "".join(_field(each, language, (typed or {}).get(each.name, ""), problems.get(each.name)) for each in fields)
    alert = f'<p role="alert">{_say("wrong", language)}</p>' if problems else ""
    # The server says what is wrong, in the page's language and beside the field; browsers' bubbles would say it first, and vanish.
    form = f'<form method="post" novalidate>{inner}<button type="submit">{_say("send", language)}</button></form>'
    return _page("title", language, f"<p>{_say('asks', language, tenant=tenant)}</p>{alert}{form}")


def thanks(language: str, tenant: str, gift: str | None, *, again: bool) -> str:
    """It is taken, now or before. ``gift``: the title of what she got for it."""
    first = _say("again" if again else "taken", language, tenant=tenant)
    more = f"<p>{_say('gift', language, gift=gift)}</p>" if gift else ""
    return _page("done", language, f"<p>{first}</p>{more}")


def _field(field: FormField, language: str, typed: str, problem: str | None) -> str:
    name = field.name
    marks = f'id="{name}" name="{name}" autocomplete="{_FILLS.get(name, "off")}" required'
    beside = ""
    if problem is not None:
        marks += f' aria-invalid="true" aria-describedby="{name}-wrong"'
        beside = f'<p class="wrong" id="{name}-wrong">{_say("required" if problem == "required" else "invalid", language)}</p>'
    if field.choices is not None:
        options = f'<option value="">{_say("choose", language)}</option>'
        options += "".join(
            f'<option value="{each}"{" selected" if each == typed else ""}>{_say(each, language)}</option>' for each in field.choices
        )
        control = f"<select {marks}>{options}</select>"
    else:
        control = f'<input {_INPUTS[field.type]} {marks} value="{html.escape(typed[:254])}">'
    return f'<label for="{name}">{_say(name, language)}</label>{control}{beside}'


def _say(what: str, language: str, **words: Any) -> str:
    text = _LABELS[what][_LANGUAGES.index(language)]
    for name, word in words.items():
        text = text.replace(f"@{name}@", str(word))
    return html.escape(text)


def _page(title: str, language: str, inner: str) -> str:
    heading = _say(title, language)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{heading}</title><style>{_STYLE}</style></head><body><main><h1>{heading}</h1>{inner}</main></body></html>\n"
    )
