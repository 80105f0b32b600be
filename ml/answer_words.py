"""Answers in words: a number with its unit, and plain text. An expression reader takes both for products of letters,
so that "18 dollars" is not 18 to it, and "cat" is "act".
"""

from __future__ import annotations

import re

from ml.answer_notation import parse_number
from ml.answer_units import same_unit, with_symbols

_WRAPPED = re.compile(r"\\(?:text(?:bf|it|rm)?|math(?:rm|bf|it)|mbox)\s*\{([^{}]*)\}")
# A unit in such a command is one, where bare it may be a letter of a product.
_COMMAND = r"\\(?:text(?:bf|it|rm)?|mathrm|mbox)\s*"
_WRAPPED_LETTER = re.compile(_COMMAND + r"\{[^{}]*[^\W\d_][^{}]*\}")
_LETTER_ALONE = re.compile(_COMMAND + r"\{\s*([A-Za-z])\.?\s*\}\s*\$?\s*$")
_BLANKS = re.compile(r"\\[,;:! ]|~|\s")

_NUMBER = r"[-+\u2212]?[\d.](?:[\d.,/ ]*|[\d.]*[eE][-+]?\d+)"
# What is left after the number must stand apart and begin with a word: 2xy and "2 xy" are products. A short one must
# lead to another: "18 a day", "18 in total", where "2 a b" is a product, too.
_UNIT = (
    r"(?:[^\W\d_]{3,}|an?(?= [^\W\d_]{3})|(?:in|of|on|by|at)(?= (?:a |[^\W\d_]{2})))"
    r"[^\W\d_ '/.-]*(?:[ /'.-]+[^\W\d_]+)*"
)
_WITH_UNIT = re.compile(rf"(?P<number>{_NUMBER}) (?P<bracket>\()?(?P<unit>{_UNIT})(?(bracket)\))\.?")
_PERCENTAGE = re.compile(rf"\$?(?P<percentage>{_NUMBER}\\?%)\$? (?P<unit>{_UNIT})\.?")
_LATEX_FRACTION = re.compile(r"(?P<whole>\d?)\s*\\[dt]?frac\{(?P<top>\d+)\}\{(?P<bottom>\d+)\}")
_MOST_WORDS = 6
# "5 million" is not 5, "2 thirds" not 2, "3 or more" not 3, "4 out of 5" not 4, "5 times x" not 5. Not every word in
# -th is a part of one: months and depths are units.
_SCALE = re.compile(
    r"(?:dozen|hal(?:f|ve)|quarter|lakh|crore|third|(?:hundred|thousand|[a-z]+illion|four|fif|six|seven|eigh|nin|ten"
    r"|eleven|twelf|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)tie)th"
    r"|hundred|thousand|[a-z]+illion)s?"
)
_NUMBER_WORD = re.compile(
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    "|(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
)
_JOINING = re.compile(
    "and|or|to|than|out|plus|minus|times|divided|multiplied|over|not|base|mod|modulo|squared|cubed|if|unless|except|but"
    "|remainder|factorial|choose|point|below|above"
)
# Units where nothing comes behind them: "5 times" may be how often, and "1 point" what a game gives.
_UNIT_AT_THE_END = ("times", "point")
# Nor do these join anything there: 12 apples left over. Right behind the number they may tell on which side of 0 it is.
_JOINING_NOTHING_AT_THE_END = ("over", "below", "above")
# Of what is counted somebody has more than another: "12 more apples than Bob", where "12 more than x" is a sum.
_COMPARED = re.compile(r"(?:more|fewer|less)(?: [^\W\d_]+)+ than(?: [^\W\d_]+)* [^\W\d_]{2,}")
_FACTORS = {"dozen": 12, "hundred": 100, "thousand": 1_000, "lakh": 10**5, "million": 10**6, "crore": 10**7}
_FACTORS |= {"billion": 10**9, "trillion": 10**12, "quadrillion": 10**15}
_SCALED = re.compile(
    rf"(?P<number>{_NUMBER}) (?P<scale>{'|'.join(_FACTORS)})s?(?P<unit> .*|\.)?", re.IGNORECASE
)
_DOLLAR = "dollar"
_CURRENCIES = {"\u00a3": "pound", "\u20ac": "euro", "\u00a5": "yen", "\u20a9": "won", "\u20b9": "rupee"}
_MONEY = {"dollar": _DOLLAR, "usd": _DOLLAR, "buck": _DOLLAR}
# Names that an expression is made of, also where nobody wrote a backslash.
_MATHEMATICAL = re.compile(
    "(?:arc)?(?:sin|cos|tan|cot|sec|csc)h?|log|exp|lim|max|min|gcd|lcm|mod|det|sqrt|abs|floor|ceil|inf(?:inity|ty)?|nan"
    "|alpha|beta|gamma|delta|epsilon|theta|lambda|sigma|omega|phi|psi|rho|tau"
)

_CHOICE = re.compile(
    r"(?:(?i:option|choice|answer) )?(?:(?P<bracket>\()|\b)(?P<letter>[A-J])(?(bracket)\))\.?"
)

# With what the choice says, (B) 12 and B. 12, or as a list names it: B).
_CHOICE_WITH_CONTENT = re.compile(
    r"(?:\((?P<bracketed>[A-J])\)(?: |(?=\d))|(?P<letter>[A-J])[.:] ).*|(?P<listed>[A-J])\)(?: .*)?"
)

# Round a list of words brackets mean nothing, and a program prints them.
_BRACKETS = str.maketrans("[]", "()")
_RUN = re.compile(r"[^\W\d_]+")
# A minus or a slash between letters may be a hyphen or part of a name.
_OPERATOR = re.compile(r"[*^+=_\u00b7\u00d7]|(?<![^\W\d_])[-/\u2212]|[-/\u2212](?![^\W\d_])")
# Short, and without a vowel as nearly no word is, or with capitals inside as none is: mgh, nRT.
_PRODUCT = re.compile(
    "[b-df-hj-np-tv-zB-DF-HJ-NP-TV-Z]{1,4}|(?=.{2,4}$)[A-Za-z]*(?:[a-z][A-Z]|[A-Z]{2}[a-z])[A-Za-z]*"
)
_PROSE = re.compile(r"(?:[^\W\d_]|[\s,.;:'\"!?()&\u2018\u2019\u201c\u201d]|(?<=[^\W\d_])[-/](?=[^\W\d_]))+")
# A pair of letters each, as genes have it; or a capital behind a small letter, where no word's end is near.
_DOUBLED = re.compile(r"(?:([a-z])\1)+", re.IGNORECASE)
_FORMULA = re.compile(r"(?=.*[a-z][A-Z])(?!.*[a-z]{3})[A-Za-z]+")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def same_words(answer: str, reference: str) -> bool | None:
    """Whether two texts have the same words in the same order, however they are spaced, capitalised and punctuated.

    None where the reference is no text but may be an expression (`xy`, a number, LaTeX), or the answer is LaTeX; also
    where the words differ, and the answer is an expression (`m*g*h`) or the reference could be one (`mgh`).
    """
    given, expected = plain_text(answer), plain_text(reference)
    if given is None or expected is None or not _is_prose(expected):
        return None
    # What has digits or signs besides its words says more than the words.
    is_same = bool(_PROSE.fullmatch(given.translate(_BRACKETS))) and _are_same(given, expected)
    may_be_expression = _OPERATOR.search(given) or _PRODUCT.fullmatch(expected)
    return None if not is_same and may_be_expression else is_same


def same_choice(answer: str, reference: str) -> bool:
    """Whether two texts name the same of several choices by its letter, "option B" and B; also where one goes on with
    what that choice says, "(B) 12".
    """
    one, other = (_CHOICE.fullmatch(_unwrapped(text)) for text in (answer, reference))
    if one is not None and other is not None:
        return one["letter"] == other["letter"]
    bare, whole = (one, reference) if one is not None else (other, answer)
    named = _CHOICE_WITH_CONTENT.fullmatch(_unwrapped(whole))
    return bare is not None and named is not None and bare["letter"] in named.groups()


def same_but_for_unit(answer: str, reference: str) -> bool | None:
    """Whether two numbers are equal, however they are written, of which one may have a unit in words, or both the same;
    a dollar sign is a unit where the other has one. None where nothing but the numbers may differ, or one is none.
    """
    one, other = _measured(answer), _measured(reference)
    if one is None or other is None:
        return None
    # "$5" may be five dollars an hour, but never five cents.
    is_money = (_DOLLAR,) in (one[1], other[1]) and _DOLLAR in one[1] and _DOLLAR in other[1]
    if one[1] and other[1] and not is_money and not same_unit(one[1], other[1]):
        return None if _abbreviates(answer, other[1]) or _abbreviates(reference, one[1]) else False
    return True if parse_number(one[0]) == parse_number(other[0]) else None


def _abbreviates(text: str, unit: tuple[str, ...]) -> bool:
    """Whether a text has one letter alone as its unit, with which the other's unit begins: m may be minutes as well."""
    letter = _LETTER_ALONE.search(text)
    return letter is not None and unit[0].startswith(letter[1].lower()) and not unit[0].startswith("milli")


def plain_text(text: str) -> str | None:
    """The text without dollars and what wraps words in LaTeX; None where more LaTeX is left."""
    plain = _unwrapped(text)
    return None if "\\" in plain else plain


def _unwrapped(text: str) -> str:
    unwrapped = _WRAPPED.sub(r"\1", text.replace("\\$", "").replace("$", ""))
    return " ".join(_BLANKS.sub(" ", unwrapped).split())


def bare_percentages(answer: str, reference: str) -> tuple[str, str]:
    """Both, and the one of them that says of what it is a percentage, "20% of the students", without these words."""
    one, other = (_bare_percentage(text) for text in (answer, reference))
    return (answer, reference) if one != answer and other != reference else (one, other)


def _bare_percentage(text: str) -> str:
    match = _PERCENTAGE.fullmatch(text)
    return match["percentage"] if match is not None and _is_unit(_words(match["unit"])) else text


def is_measured(text: str) -> bool:
    """Whether a text is a number with its unit."""
    measured = _measured(text)
    return measured is not None and bool(measured[1])


def changes_a_number(word: str) -> bool:
    """Whether a number is another one where this word begins what follows it: 5 million, 5 mod 7."""
    name = word.casefold()
    return any(words.fullmatch(name) for words in (_MATHEMATICAL, _SCALE, _NUMBER_WORD, _JOINING))


def _measured(text: str) -> tuple[str, tuple[str, ...]] | None:
    """A number and the words of its unit, none for a bare number; None for anything else."""
    plain = plain_text(_LATEX_FRACTION.sub(_with_slash, text))
    if plain is None:
        # A power of ten is a number all the same.
        return (text, ()) if parse_number(text) is not None else None
    # Dollars in pairs stand round a formula.
    money: tuple[str, ...] = (_DOLLAR,) if "\\$" in text or text.count("$") % 2 else ()
    currency = _CURRENCIES.get(plain[:1]) or _CURRENCIES.get(plain[-1:])
    if currency is not None and not money:
        plain, money = plain.strip("".join(_CURRENCIES)).strip(), (currency,)
    plain = _multiplied_out(plain)
    for number in (plain, text):
        if parse_number(number) is not None:
            return number, money
    symbols = with_symbols(plain, bool(money), _WRAPPED_LETTER.search(text) is not None)
    if symbols is not None and parse_number(symbols[0]) is not None:
        return symbols[0], _unit(symbols[1], money)
    match = _WITH_UNIT.fullmatch(plain)
    if match is None or parse_number(match["number"]) is None:
        return None
    words = _words(match["unit"])
    return (match["number"], _unit(words, money)) if _is_unit(words) else None


def _multiplied_out(plain: str) -> str:
    """12 million dollars as 12000000 dollars."""
    while (match := _SCALED.fullmatch(plain)) is not None:
        value = parse_number(match["number"])
        if value is None:
            break
        plain = f"{value * _FACTORS[match['scale'].casefold()]}{match['unit'] or ''}"
    return plain


def _with_slash(fraction: re.Match[str]) -> str:
    whole = f"{fraction['whole']} " if fraction["whole"] else ""
    return f"{whole}{fraction['top']}/{fraction['bottom']}"


def _is_unit(words: list[str]) -> bool:
    """Whether words behind a number leave it as it is."""
    joinable = words
    if words[-1] in _UNIT_AT_THE_END or (len(words) > 1 and words[-1] in _JOINING_NOTHING_AT_THE_END):
        joinable = words[:-1]
    elif _COMPARED.fullmatch(" ".join(words)):
        joinable = [word for word in words if word != "than"]
    return (
        len(words) <= _MOST_WORDS
        and not _MATHEMATICAL.fullmatch(words[0] if len(words[0]) > 2 else words[1])
        and not any(map(_SCALE.fullmatch, words))
        and not any(map(_NUMBER_WORD.fullmatch, words))
        and not any(map(_JOINING.fullmatch, joinable))
    )


def _unit(words: list[str], money: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a unit, behind the dollar of a sign that no word repeats."""
    unit = tuple(_MONEY.get(word.removesuffix("s"), word) for word in words)
    return unit if not money or any(same_unit((word,), money) for word in unit) else money + unit


def _are_same(given: str, expected: str) -> bool:
    """Whether the same words are joined in the same way: by any sign but a slash, or where none is a word, by this one;
    and formulas have the same case.
    """
    if _words(given) != _words(expected):
        return False
    runs, others = _RUN.findall(given), _RUN.findall(expected)
    if any(
        one != other and (_is_formula(one) or _is_formula(other))
        for one, other in zip(runs, others, strict=True)
    ):
        return False
    telling = "/" if any(map(_is_word, runs)) or any(map(_is_word, others)) else "/-&,"
    joints, expected_joints = (
        ["".join(sign for sign in joint if sign in telling) for joint in _RUN.split(text)[1:-1]]
        for text in (given, expected)
    )
    return joints == expected_joints


def _is_formula(run: str) -> bool:
    """AaBb and NaCl, but neither McDonald nor TRUE."""
    return _DOUBLED.fullmatch(run) is not None or _FORMULA.fullmatch(run) is not None


def _words(text: str) -> list[str]:
    return [run.casefold() for run in _RUN.findall(text)]


def _is_prose(text: str) -> bool:
    """Whether a text is made of words: of letters and what stands between words, and not of variables alone."""
    if not _PROSE.fullmatch(text):
        return False
    runs = _RUN.findall(text)
    return any(map(_is_word, runs)) or (len(runs) > 1 and all(len(run) > 1 for run in runs))


def _is_word(run: str) -> bool:
    """Two or three letters may be a product (xy, abc), and up to four capitals the corners of a figure."""
    if not run.isascii():
        return len(run) > 1
    if run.isupper() and len(run) <= 4:
        return run == "NO"
    name = run.casefold()
    return name == "no" or (len(name) > 2 and name not in _ALPHABET and not _MATHEMATICAL.fullmatch(name))
