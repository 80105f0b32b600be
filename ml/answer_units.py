"""Units of a number: their symbols, and which of them are one unit's names."""

from __future__ import annotations

import re

_LENGTHS = {"mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer"}
_LENGTHS |= {"in": "inch", "ft": "foot", "yd": "yard", "mi": "mile", "units": "unit", "unit": "unit"}
_OTHERS = {"mg": "milligram", "g": "gram", "kg": "kilogram", "lb": "pound", "lbs": "pound", "oz": "ounce"}
_OTHERS |= {"ml": "milliliter", "mL": "milliliter", "L": "liter", "gal": "gallon"}
_OTHERS |= {"s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "hrs": "hour"}
_SYMBOLS = _LENGTHS | _OTHERS
# Beside a number alone these are letters of a product, or words that are read as such.
_NEVER_ALONE = frozenset(("m", "g", "L", "s", "h", "unit", "units"))
# Other spellings, and plurals that no letter at the end makes.
_NAMES = {symbol: name for symbol, name in _SYMBOLS.items() if len(symbol) > 1} | {
    "sq": "square", "yr": "year", "wk": "week", "feet": "foot", "people": "person", "children": "child",
    "men": "man", "women": "woman", "mice": "mouse", "teeth": "tooth", "geese": "goose", "knives": "knife",
    "loaves": "loaf", "leaves": "leaf", "shelves": "shelf", "wolves": "wolf",
}  # fmt: skip
_NAMES |= {name.replace("er", "re"): name for name in _SYMBOLS.values() if name.endswith(("meter", "liter"))}
_KNOWN = frozenset(_SYMBOLS.values())

_POWER = r"\^(?:[23]|\{[23]\})"
_COMPOUND = re.compile(
    rf"(?P<number>[-+\u2212]?[\d.][\d.,/ ]*?)(?P<blank> ?)(?P<unit>[A-Za-z]+)(?P<power>{_POWER})?"
    rf"(?: ?/ ?(?P<each>[A-Za-z]+)(?P<power_of_each>{_POWER})?)?"
)
_RATE = re.compile(r"(?P<number>[-+\u2212]?[\d.][\d.,]*) ?/ ?(?P<each>[A-Za-z]{3,}|hr|h)")
_POWERS = {"2": "square", "3": "cubic"}


def with_symbols(plain: str, is_money: bool, is_wrapped: bool) -> tuple[str, list[str]] | None:
    """A number and the words for the symbols of its unit, `12 km/h` and `12 cm^2`; of money also `12/hour`. None for
    anything else. is_wrapped: the unit stood in a command for words, and so is no product's letter.
    """
    rate = _RATE.fullmatch(plain) if is_money else None
    if rate is not None:
        return rate["number"], [_SYMBOLS.get(rate["each"], rate["each"].casefold())]
    match = _COMPOUND.fullmatch(plain)
    if match is None:
        return None
    unit, each = match["unit"], match["each"]
    is_alone = match["power"] is None and each is None
    may_be_letter = unit in _NEVER_ALONE and not is_wrapped
    if not _is_known(unit) or (is_alone and (may_be_letter or unit not in _SYMBOLS)):
        return None
    # 12m/s may be a product, 12 m/s hardly; and only lengths have powers, or a time below the slash.
    is_product = len(unit) == 1 and not match["blank"] and not is_wrapped
    is_power = match["power"] is None or unit in _LENGTHS or not _names(unit).isdisjoint(_LENGTHS.values())
    if is_product or not is_power or not (each is None or _is_known(each)):
        return None
    words = [
        *_powered(unit, match["power"]),
        *([] if each is None else _powered(each, match["power_of_each"])),
    ]
    return match["number"], words


def same_unit(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two units are named by the same words, but for number, spelling and abbreviation."""
    ones, others = _spelled_out(one), _spelled_out(other)
    return len(ones) == len(others) and not any(
        _names(word).isdisjoint(_names(another)) for word, another in zip(ones, others, strict=True)
    )


def _is_known(unit: str) -> bool:
    return unit in _SYMBOLS or not _names(unit.casefold()).isdisjoint(_KNOWN)


def _powered(unit: str, power: str | None) -> list[str]:
    word = _SYMBOLS.get(unit, unit.casefold())
    return [word] if power is None else [_POWERS[power.strip("^{}")], word]


def _spelled_out(unit: tuple[str, ...]) -> list[str]:
    """12 mph are 12 miles an hour, and so are 12 miles/hour."""
    words = [part for word in unit for part in (("mile", "hour") if word == "mph" else (word,))]
    return [word for place, word in enumerate(words) if word != "per" and not (place and word in ("a", "an"))]


def _names(word: str) -> frozenset[str]:
    """What a word may be in the singular."""
    forms = [word, word.removesuffix("s")]
    if word.endswith("ies"):
        forms.append(f"{word[:-3]}y")
    elif word.endswith(("xes", "ches", "shes", "ses", "zes", "oes")):
        forms.append(word[:-2])
    return frozenset(_NAMES.get(form, form) for form in forms)
