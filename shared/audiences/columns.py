"""What may be shown of a member, by the name of a column. Pure: a state whose time is advanced in, a value out.

A name is one word, or a word with parts behind colons: ``balance:points``, ``window:value:30:category=mains``. Money is in minor units,
quantities in thousandths, instants in RFC 3339. Of who objects to profiling the columns about behaviour are empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.audiences.errors import UnknownColumn
from shared.kernel.errors import FieldError
from shared.kernel.ids import NAME_PATTERN
from shared.kernel.instants import Instant, format_rfc3339, local_day
from shared.member_state.model import MemberState, segment_key
from shared.profile.habits import lifecycle, usual_interval2
from shared.profile.model import KEPT_DAYS
from shared.profile.rules import window
from shared.segments.context import Context
from shared.segments.reading.holdings import balance_steps, expiring_steps

Value = str | int | bool | tuple[str, ...] | None
PERSONAL: Final = (
    "first_name", "last_name", "phone", "email", "street", "postal_code", "city", "country", "birth_date", "gender", "language",
)  # fmt: skip
"""Fields of the sealed profile."""
MAX_COLUMNS: Final = 60
DEFAULT: Final = ("member_id", "joined_at", "status", "tier")
_METRICS: Final = ("count", "value", "quantity", "average", "visits")
_LETTERS: Final[Mapping[str, str]] = {"category": "c", "tag": "t", "item": "i", "location": "l", "channel": "h", "hour": "o"}
_NAME: Final = re.compile(NAME_PATTERN)
_DAYS: Final = frozenset(str(days) for days in range(1, KEPT_DAYS + 1))
_MOST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Subject:
    """Of whom and when. ``served``: segment -> the version that listings read; ``personal``: her fields, where they were opened."""

    state: MemberState
    now: Instant
    context: Context
    served: Mapping[str, int] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """``behavioural``: derived from what she does; ``personal``: opened from the sealed profile."""

    name: str
    read: Callable[[Subject], Value]
    behavioural: bool = False
    personal: bool = False

    def of(self, subject: Subject) -> Value:
        """The value; ``None`` where there is none."""
        return None if self.behavioural and not subject.state.may_profile else self.read(subject)


def columns_of(names: Sequence[str], wallets: Collection[str] | None, segment: str | None = None) -> tuple[Column, ...]:
    """The columns of these names. ``UnknownColumn`` points at each that there is not.

    ``segment``: the one that ``entered_at`` is of. ``wallets``: those that there are; ``None``: they were checked before.
    """
    found, errors = [], []
    for place, name in enumerate(names):
        column = _column(name, segment)
        wallet = name.split(":")[1] if column is not None and name.startswith(("balance:", "points_expiring:")) else None
        if column is None:
            errors.append(FieldError(f"/columns/{place}", "unknown_column", f"one of {', '.join(KNOWN)}"))
        elif wallet is not None and wallets is not None and wallet not in wallets:
            errors.append(FieldError(f"/columns/{place}", "unknown_wallet", "there is no such programme with this wallet"))
        elif name in names[:place]:
            errors.append(FieldError(f"/columns/{place}", "named_twice", "a column is named once"))
        else:
            found.append(column)
    if errors:
        raise UnknownColumn("There is no such column; see errors.", errors=tuple(errors))
    return tuple(found)


def _column(name: str, segment: str | None) -> Column | None:
    if len(name) > _MOST_NAME:
        return None
    if name in PERSONAL:
        return Column(name, lambda subject: subject.personal.get(name), personal=True)
    if name in _PLAIN:
        return Column(name, _PLAIN[name])
    if name in _BEHAVIOURAL:
        return Column(name, _BEHAVIOURAL[name], behavioural=True)
    if name == "entered_at":
        return None if segment is None else Column(name, _entered(segment))
    head, _, rest = name.partition(":")
    make = _FAMILIES.get(head)
    return make(name, rest) if make is not None and rest else None


# -- families -------------------------------------------------------------------------------------------------------


def _balance(name: str, rest: str) -> Column | None:
    if not _NAME.fullmatch(rest):
        return None
    return Column(name, lambda subject: balance_steps(subject.state, rest, subject.now)[0][1])


def _expiring(name: str, rest: str) -> Column | None:
    wallet, _, days = rest.partition(":")
    if not _NAME.fullmatch(wallet) or days not in _DAYS:
        return None
    return Column(name, lambda subject: expiring_steps(subject.state, wallet, subject.now, int(days))[0][1])


def _attribute(name: str, rest: str) -> Column | None:
    return Column(name, lambda subject: subject.state.attributes.get(rest))


def _tag(name: str, rest: str) -> Column | None:
    return Column(name, lambda subject: rest in subject.state.tags)


def _list(name: str, rest: str) -> Column | None:
    return Column(name, lambda subject: rest in subject.state.lists)


def _consent(name: str, rest: str) -> Column | None:
    if rest.count(":") != 1:
        return None

    def read(subject: Subject) -> Value:
        given = subject.state.consents.get(rest)
        return None if given is None else given.granted

    return Column(name, read)


def _entered_at(name: str, rest: str) -> Column | None:
    return Column(name, _entered(rest)) if _NAME.fullmatch(rest) else None


def _entered(segment: str) -> Callable[[Subject], Value]:
    def read(subject: Subject) -> Value:
        version = subject.served.get(segment)
        return None if version is None else _when(subject.state.segments.get(segment_key(segment, version)))

    return read


def _window(name: str, rest: str) -> Column | None:
    """``metric:days``, and ``:category=mains`` behind it for one name of a dimension."""
    metric, days, *filters = rest.split(":", 2)[:3] if ":" in rest else (rest, "")
    dimension: str | None = None
    if filters:
        letter, _, wanted = filters[0].partition("=")
        if letter not in _LETTERS or not wanted:
            return None
        dimension = f"{_LETTERS[letter]}:{wanted}"
    if metric not in _METRICS or days not in _DAYS:
        return None

    def read(subject: Subject) -> Value:
        today = local_day(subject.now, subject.context.zone)
        found: Value = getattr(window(subject.state.profile, today - int(days) + 1, today, dimension), metric)
        return found

    return Column(name, read, behavioural=True)


_FAMILIES: Final[Mapping[str, Callable[[str, str], Column | None]]] = {
    "balance": _balance, "points_expiring": _expiring, "attribute": _attribute, "tag": _tag, "list": _list, "consent": _consent,
    "entered_at": _entered_at, "window": _window,
}  # fmt: skip


# -- single columns -------------------------------------------------------------------------------------------------


def _when(instant: Instant | None) -> str | None:
    return None if instant is None else format_rfc3339(instant)


def _lifecycle(subject: Subject) -> Value:
    context = subject.context
    return lifecycle(subject.state.profile, subject.now, context.zone, context.profile, context.statistics)[0]


def _usual_interval(subject: Subject) -> Value:
    interval2 = usual_interval2(subject.state.profile, local_day(subject.now, subject.context.zone))
    return None if interval2 is None else 5 * interval2


def _segments(subject: Subject) -> Value:
    inside = subject.state.segments
    return tuple(sorted(id_ for id_, version in subject.served.items() if segment_key(id_, version) in inside))


_PLAIN: Final[dict[str, Callable[[Subject], Value]]] = {
    "member_id": lambda subject: subject.state.member,
    "joined_at": lambda subject: format_rfc3339(subject.state.joined_at),
    "status": lambda subject: subject.state.status,
    "tier": lambda subject: subject.state.tier.id if subject.state.tier is not None else None,
    "join_source": lambda subject: subject.state.join_source or None,
    "join_location": lambda subject: subject.state.join_location or None,
    "tags": lambda subject: tuple(sorted(subject.state.tags)),
    "lists": lambda subject: tuple(sorted(subject.state.lists)),
    "consents": lambda subject: tuple(sorted(key for key, each in subject.state.consents.items() if each.granted)),
    "segments": _segments,
    "profiling_allowed": lambda subject: subject.state.profiled,
}
_BEHAVIOURAL: Final[dict[str, Callable[[Subject], Value]]] = {
    "lifecycle": _lifecycle,
    "purchases": lambda subject: subject.state.profile.count,
    "value": lambda subject: subject.state.profile.value,
    "first_purchase_at": lambda subject: _when(subject.state.profile.first_at),
    "last_purchase_at": lambda subject: _when(subject.state.profile.last_at),
    "usual_interval": _usual_interval,
}
KNOWN: Final = (
    *_PLAIN, *_BEHAVIOURAL, "entered_at (export of a segment)", "entered_at:<segment>", "balance:<wallet>",
    f"points_expiring:<wallet>:<days 1-{KEPT_DAYS}>", "attribute:<name>", "tag:<tag>", "list:<list>", "consent:<purpose>:<channel>",
    f"window:<{'|'.join(_METRICS)}>:<days 1-{KEPT_DAYS}>[:<{'|'.join(_LETTERS)}>=<name>]", *PERSONAL,
)  # fmt: skip
"""Every column, as people are told."""


def personal_problems(columns: Sequence[Column]) -> tuple[FieldError, ...]:
    """Which columns need the scope for personal data."""
    wanted = ((place, each) for place, each in enumerate(columns) if each.personal)
    return tuple(FieldError(f"/columns/{place}", "insufficient_scope", "needs the scope members:personal") for place, _ in wanted)


def shown(columns: Sequence[Column], subject: Subject) -> dict[str, Any]:
    """A member's row: column -> value."""
    return {column.name: column.of(subject) for column in columns}
