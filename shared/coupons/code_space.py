"""The codes of a pool: what a pattern can say, whether guessing them pays, and the codes themselves, one by one. Pure.

Code number ``i`` of a pool is place ``i`` of a keyed permutation of all that the pattern can say: codes of a pool never repeat, need no
set of those made before, and can be made again in any order by whoever has the key. The permutation is the Feistel network of FF1 (NIST
SP 800-38G, section 5.1: ten rounds, addition modulo a power of the radix), with keyed BLAKE2b (RFC 7693) as its round function.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from shared.kernel.errors import InvalidValue

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No look-alikes (0 O, 1 I L U)."""
RANDOM: Final = "#"
GUESSES: Final = 1_000_000
"""Guesses that an attacker is granted: a month of the wrong codes that one credential may send (``shared.coupons.guesses``)."""
SHORTEST: Final = 4
LONGEST: Final = 64
_LITERALS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
_ROUNDS: Final = 10
_WORD: Final = 32


class BadPattern(InvalidValue):
    """A pattern or an alphabet that makes no codes."""


@dataclass(frozen=True)
class CodeSpace:
    """What a pattern can say. Each ``#`` is a random character, anything else stands for itself; with ``check`` the last ``#`` is the
    check character of the random ones.
    """

    pattern: str
    alphabet: str = ALPHABET
    check: bool = True

    def __post_init__(self) -> None:
        if not SHORTEST <= len(self.pattern) <= LONGEST:
            raise BadPattern(f"a code has {SHORTEST} to {LONGEST} characters")
        if not set(self.pattern) <= _LITERALS | {RANDOM}:
            raise BadPattern("a pattern is made of # (a random character), A-Z, 0-9 and -")
        if len(set(self.alphabet)) != len(self.alphabet) or not set(self.alphabet) <= _LITERALS - {"-"}:
            raise BadPattern("an alphabet is made of different characters of A-Z and 0-9")
        if not 8 <= len(self.alphabet) <= 36 or len(self.alphabet) % 2:
            raise BadPattern("an alphabet has 8 to 36 characters, an even number: with an odd one check characters miss errors")
        if self.random < 2:
            raise BadPattern("a pattern has at least two random characters beside its check character")

    @cached_property
    def random(self) -> int:
        """How many characters are random."""
        return self.pattern.count(RANDOM) - self.check

    @cached_property
    def size(self) -> int:
        """How many different codes there are."""
        return int(len(self.alphabet) ** self.random)

    # -- odds -------------------------------------------------------------------------------------------------------

    def one_in(self, count: int) -> int:
        """With ``count`` good codes one guess in so many hits (rounded down)."""
        return self.size // count

    def is_guessable(self, count: int, guesses: int = GUESSES) -> bool:
        """Whether ``guesses`` guesses are expected to hit at least once: ``guesses * count / size >= 1``."""
        return guesses * count >= self.size

    def shortest(self, count: int, guesses: int = GUESSES) -> str:
        """The shortest pattern like this one that is not guessable: random characters are added or taken at its end.

        ``BadPattern`` where it would be longer than a code may be.
        """
        needed = 2
        while guesses * count >= len(self.alphabet) ** needed:
            needed += 1
        change = needed - self.random
        last = self.pattern.rindex(RANDOM) + 1
        head, tail = self.pattern[:last], self.pattern[last:]
        if change >= 0:
            return CodeSpace(f"{head}{RANDOM * change}{tail}", self.alphabet, self.check).pattern
        kept = self.pattern.count(RANDOM) + change
        cut = [place for place, each in enumerate(self.pattern) if each == RANDOM][kept - 1] + 1
        return CodeSpace(self.pattern[:cut] + tail, self.alphabet, self.check).pattern

    # -- codes ------------------------------------------------------------------------------------------------------

    def codes(self, key: bytes, start: int, stop: int) -> Iterator[str]:
        """Codes number ``start`` to ``stop - 1`` under a key of 16 to 64 bytes. No memory but the one code."""
        if not 0 <= start <= stop <= self.size:
            raise InvalidValue("not places of this space")
        permutation = _Permutation(len(self.alphabet), self.random, key)
        return (self._spelled(permutation(place)) for place in range(start, stop))

    def fits(self, code: str) -> bool:
        """Whether the pattern can say this code and its check character is right: without asking anybody."""
        if len(code) != len(self.pattern):
            return False
        said = [(wanted, each) for wanted, each in zip(self.pattern, code, strict=True)]
        literals_match = all(wanted == each for wanted, each in said if wanted != RANDOM)
        characters = [each for wanted, each in said if wanted == RANDOM]
        if not literals_match or not set(characters) <= set(self.alphabet):
            return False
        return not self.check or check_character("".join(characters[:-1]), self.alphabet) == characters[-1]

    def _spelled(self, number: int) -> str:
        alphabet, radix = self.alphabet, len(self.alphabet)
        digits = []
        for _ in range(self.random):
            number, digit = divmod(number, radix)
            digits.append(alphabet[digit])
        if self.check:
            digits.append(check_character("".join(digits), alphabet))
        return self._template % tuple(digits)

    @cached_property
    def _template(self) -> str:
        return self.pattern.replace(RANDOM, "%s")


def check_character(text: str, alphabet: str = ALPHABET) -> str:
    """The check character of a text: the hybrid system MOD M+1,M of ISO/IEC 7064:2003 (as MOD 37,36), M being the alphabet's length.

    For an even M it finds every single wrong character and nearly every exchange of two neighbours.
    """
    size = len(alphabet)
    product = size
    for character in text:
        total = (product + alphabet.index(character)) % size or size
        product = total * 2 % (size + 1)
    return alphabet[(size + 1 - product) % size]


class _Permutation:
    """FF1's network over ``digits`` digits of a radix, on integers: ``A`` the upper half, ``B`` the lower."""

    def __init__(self, radix: int, digits: int, key: bytes) -> None:
        self._moduli: tuple[int, int] = (radix ** (digits // 2), radix ** (digits - digits // 2))
        self._rounds = [hashlib.blake2b(bytes([number]), key=key, digest_size=_WORD) for number in range(_ROUNDS)]

    def __call__(self, place: int) -> int:
        modulus = self._moduli[1]
        upper, lower = divmod(place, modulus)
        for number, begun in enumerate(self._rounds):
            word = begun.copy()
            word.update(lower.to_bytes(_WORD, "big"))
            mixed = upper + int.from_bytes(word.digest(), "big")
            upper, lower = lower, mixed % self._moduli[number % 2]
        return upper * modulus + lower
