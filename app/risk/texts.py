"""Finds secrets, personal data and orders of tool results in texts: kinds and places, never the text.

Secrets are those of :mod:`ingest.masker`: the marks it left, and what its rules find in older texts. Personal
data are e-mail addresses, phone numbers, IBANs (ISO 13616, mod 97) and card numbers (ISO/IEC 7812, Luhn).
Orders are general signs with weights, close together; no sign alone says that a text is an attack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml

from app.risk.rules import Injection
from ingest.masker import RULES, mask_text


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: its kind and its characters, from ``start`` (included) to ``end``."""

    kind: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.kind}@{self.start}-{self.end}"


_MASKED = re.compile(r"\[masked:([a-z0-9-]+)\]")
_SECRETS = tuple((rule.name, re.compile(rule.pattern, re.ASCII)) for rule in RULES)

_E_MAIL = re.compile(r"(?<![\w.+-])[\w.%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_PHONE = re.compile(r"(?<![\w+])\+[1-9]\d{0,2}[ ./()-]{0,3}\d(?:[ ./()-]{0,3}\d){6,12}(?!\d)")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![\w.+-])[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,7}(?![\w-])")


def secrets(text: str) -> list[Place]:
    """Secrets in ``text``: masked ones, and those that a rule of today finds."""
    places = [Place(found[1], found.start(), found.end()) for found in _MASKED.finditer(text)]
    if mask_text(text).secret_count:
        for name, pattern in _SECRETS:
            places += [Place(name, found.start(), found.end()) for found in pattern.finditer(text)]
    return sorted(places, key=lambda place: (place.start, place.end))


def personal_data(text: str) -> dict[str, list[Place]]:
    """Personal data in ``text``: kind to the first place of each different one."""
    found: dict[str, dict[str, Place]] = {}
    for kind, one in _personal(text):
        found.setdefault(kind, {}).setdefault(_plain(one[0]), Place(kind, one.start(), one.end()))
    return {kind: list(places.values()) for kind, places in found.items()}


def _personal(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    if "@" in text:
        yield from (("e-mail", one) for one in _E_MAIL.finditer(text))
    if "+" in text:
        yield from (("phone", one) for one in _PHONE.finditer(text))
    yield from (("iban", one) for one in _IBAN.finditer(text) if is_iban(one[0]))
    yield from (("card", one) for one in _CARD.finditer(text) if is_card(one[0]))


def _plain(text: str) -> str:
    return re.sub(r"[ ./()-]", "", text).lower() if "@" not in text else text.lower()


def is_iban(text: str) -> bool:
    """Whether the check digits of an IBAN agree (ISO 7064, MOD 97-10)."""
    plain = text.replace(" ", "")
    turned = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def is_card(text: str) -> bool:
    """Whether the check digit of a card number agrees (ISO/IEC 7812-1, Luhn)."""
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


@lru_cache(maxsize=1)
def _signs() -> tuple[tuple[str, re.Pattern[str]], ...]:
    told = yaml.safe_load(files("app.risk").joinpath("signs.yaml").read_text(encoding="utf-8"))
    return tuple((one["sign"], re.compile(one["pattern"], re.IGNORECASE)) for one in told)


# A line end and a tab, also as another language writes them inside a quoted text; the length stays.
_BLANKS = re.compile(r"\s|\\[nrt]")


@dataclass(frozen=True, kw_only=True)
class Orders:
    """How much a text gives orders: the largest sum of weights in one stretch, and the signs there."""

    score: int
    places: tuple[Place, ...]


def orders(text: str, rules: Injection) -> Orders:
    """The stretch of ``text`` with the heaviest signs; each kind of sign counts once in it."""
    flat = _BLANKS.sub(lambda found: " " * len(found[0]), text)
    places = sorted(
        (
            Place(name, found.start(), found.end())
            for name, pattern in _signs()
            if rules.weights.get(name, 0)
            for found in pattern.finditer(flat)
        ),
        key=lambda place: place.start,
    )
    best = Orders(score=0, places=())
    for first, opening in enumerate(places):
        near = [one for one in places[first:] if one.start - opening.start <= rules.within_chars]
        score = _score(near, rules.weights)
        if score > best.score:
            best = Orders(score=score, places=tuple(near))
    return best


def _score(places: Sequence[Place], weights: Mapping[str, int]) -> int:
    return sum(weights[name] for name in {place.kind for place in places})
