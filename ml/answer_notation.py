"""How answers are written: notation without a meaning taken away, and plain numbers read exactly."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from fractions import Fraction

from ml.answer_exponents import MOST_DIGITS, exponent_digits, without_exponents
from ml.answer_repeating import dotted_value, lined_value, without_full_stops

# Longer digit strings are no answers, and Python refuses to read the longest ones.
LONGEST_NUMBER = 400

# Python writes a float with up to 17 digits, and with nearly as many only one that has a rounding error; of the first
# 12 it is sure. More digits than that were never a float.
FLOAT_DIGITS, TRUSTED_DIGITS = range(15, 18), 12

# math-verify compares a decimal after rounding both sides to six places, so numbers that are further apart
# than this are different to it too, and need not be asked about. Small ones are all 0 to it, so of them the share
# counts by which they differ.
_SURELY_DIFFERENT, _SURELY_DIFFERENT_SHARE = Fraction(1, 100_000), Fraction(1, 100)
# What a float has left of its rounding errors where the exact value is 0: math.sin(math.pi) is 1.2246467991473532e-16.
_NEARLY_ZERO = Fraction(1, 10**9)

_NOISE = ("\\left", "\\right", "\\displaystyle", "\\$", "$")
_SPACES = re.compile(r"\\[,; ]|~|\s")
# In 1,200 and 1{,}200 and 1\,200, but neither in "1, 200", which is two answers, nor in 12,34 or 0,100. What stands
# before must not be part of the same number or list, an index or an exponent.
_THOUSANDS = re.compile(r"(?<![\d.,_^])[1-9]\d{0,2}(?:(?:,|\{,\}|\\,)\d{3})+(?!\d|,\d)")
_SEPARATOR = re.compile(r"\{,\}|\\,|,")
_FRACTION_ARGUMENTS = re.compile(r"\\frac\s*(\{[^{}]*\}|\d)\s*(\{[^{}]*\}|\d)")

# A fraction of single tokens that stands alone or as a term: behind a factor or an exponent, and before a factor, the
# slash would mean another thing.
_TOKEN = r"\\[A-Za-z]+|[A-Za-z]|\d+"
_PLAIN_FRACTION = re.compile(rf"(?<![^+\-=,(\[{{])\\frac\{{({_TOKEN})\}}\{{({_TOKEN})\}}(?![^+\-=,)\]}}])")

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)")
# With a line over what follows, a base, or dots the digits go on or mean another number.
_GOES_ON = r"(?:[\s{}~]|\\[,;:! ])*(?:\\(?:overline|bar|dot|[lc]?dots[a-z]?)(?![A-Za-z])|_|\.\.|\u2026)"
_DECIMAL = re.compile(rf"(?<![\d.])\d+\.\d+(?![\d.]|{_GOES_ON})")
_SCIENTIFIC = re.compile(
    r"(?P<mantissa>[+-]?\d+(?:\.\d+)?)(?:\\times|\\cdot|\u00d7|\*)10\^(?:(?P<digit>\d)|\{(?P<exponent>[+-]?\d{1,3})\})"
)
_FRACTION = re.compile(r"([+-]?)\\frac\{([+-]?\d+)\}\{([+-]?\d+)\}")
# The blanks before it are not searched for: of a long run of them each would begin anew.
_PERCENT = re.compile(r"\\?%(?=\$?\.?$)")
_MIXED = re.compile(r"([+-]?)(\d+)(?: (\d+)/(\d+)|\\frac\{(\d+)\}\{(\d+)\})")


def normalise(answer: str, euler: bool = False) -> str:
    """`answer` with notation that never changes its meaning taken away: dollars, \\left, \\dfrac, thousands
    separators, exponents and white space. One blank stays between two digits, since "1 1/2" is not "11/2". A comma that
    is left parts a list, so this is not to be done twice. euler: see `without_exponents`.
    """
    text = without_full_stops(answer.strip()).strip()
    # A thin space back takes no room, so what follows it follows what is before it.
    text = re.sub(r"\\!\s*", "", text)
    for noise in _NOISE:
        text = text.replace(noise, "")
    text = _without_thousands(text.strip())
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("\u2212", "-")
    text = without_exponents(text, euler)
    text = _FRACTION_ARGUMENTS.sub(_braced, text)
    text = re.sub(r"\\(?:text|mathrm|mbox)\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\^\{?\\circ\}?", "", text)
    return _without_blanks(text)


def normalise_strictly(answer: str) -> str:
    """As `normalise`, and notation that the strict rules, PRM800K's, take for the same: 50% for 50, and a/b for
    \\frac{a}{b}.
    """
    text = normalise(answer).replace("\\%", "").replace("%", "")
    return _PLAIN_FRACTION.sub(r"\1/\2", text)


def parse_number(text: str) -> Fraction | None:
    """The exact value of a plain integer, decimal, fraction or mixed number, or of one with an exponent, thousands
    separators and a dollar sign allowed.
    """
    return value_of(normalise(text))


def value_of(normalised: str) -> Fraction | None:
    """As `parse_number`, of a text that is normalised already."""
    if len(normalised) > LONGEST_NUMBER:
        return None
    mixed = _mixed(normalised)
    if mixed is not None:
        return mixed
    match = _SCIENTIFIC.fullmatch(normalised)
    if match is not None:
        exponent = int(match["digit"] or match["exponent"])
        return (
            Fraction(match["mantissa"]) * Fraction(10) ** exponent if abs(exponent) <= MOST_DIGITS else None
        )
    match = _FRACTION.fullmatch(normalised)
    if match is not None:
        sign = -1 if match[1] == "-" else 1
        return _quotient(Fraction(sign * int(match[2])), Fraction(int(match[3])))
    lined = lined_value(normalised)
    if lined is not None:
        return lined
    top, slash, bottom = normalised.partition("/")
    return _quotient(_decimal(top), _decimal(bottom)) if slash else _decimal(normalised)


def without_float_noise(text: str) -> str:
    """Each decimal with as many digits as only a program prints, rounded as far as a float can be trusted:
    2.9999999999999996 as 3. Rounding never reaches the digits before the point.
    """
    return _DECIMAL.sub(_trusted, text)


def same_number(answer: str, reference: str) -> bool | None:
    """Whether two numbers are equal, but for the rounding error of floats; None where one is no number, or where they
    are so close that more rounding may be all that parts them: `print(2/3)` gives sixteen digits.
    """
    one, other = parse_number(answer), parse_number(reference)
    if one is None or other is None:
        one, other = (value_of(normalise(text, euler=True)) for text in (answer, reference))
        return True if one is not None and one == other else None
    if one == other or _computed(answer) == _computed(reference) or _same_float(answer, reference):
        return True
    difference = abs(one - other)
    is_sure = difference > min(_SURELY_DIFFERENT, _SURELY_DIFFERENT_SHARE * max(abs(one), abs(other)))
    return False if is_sure else None


def same_percentage(answer: str, reference: str) -> bool | None:
    """True where two numbers are equal of which at least one is a percentage, whose sign says no more than a unit:
    12.5% and 12.5. None for everything else: 12.5% may be 0.125 as well, 0.5 may be 50%, and $12.50 is a price.
    """
    one, other = (_PERCENT.sub("", text) for text in (answer, reference))
    signs = (one != answer) + (other != reference)
    if not signs or not same_number(one, other):
        return None
    if signs == 1 and (_may_be_share(one) or _is_price(other if one != answer else one)):
        return None
    return True


def same_exclaimed(answer: str, reference: str) -> bool | None:
    """True where two numbers are equal of which one has an exclamation mark: "12!" may end a sentence, and is a
    factorial where the other is no 12. None for everything else.
    """
    one, other = map(normalise, (answer, reference))
    if one.endswith("!") == other.endswith("!"):
        return None
    value, exclaimed = value_of(one.removesuffix("!")), value_of(other.removesuffix("!"))
    return True if value is not None and value == exclaimed else None


def same_dotted(answer: str, reference: str) -> bool | None:
    """Whether a decimal whose dots say that its digits repeat, 0.333..., is the other number, 1/3; None where neither
    is one, or where they are as close as the same number with more digits.
    """
    one, other = map(normalise, (answer, reference))
    values = [(dotted_value(text), value_of(text)) for text in (one, other)]
    if all(dotted is None for dotted, _ in values):
        return None
    meant, expected = (dotted if dotted is not None else exact for dotted, exact in values)
    if meant is None or expected is None:
        return None
    return True if meant == expected else False if abs(meant - expected) > _NEARLY_ZERO else None


def without_mixed_number(answer: str) -> str:
    """A mixed number or a decimal that repeats as the fraction that it stands for, and any other answer as it is: a
    grader that reads two numbers side by side as their product would misread it.
    """
    text = normalise(answer)
    value = _mixed(text) or lined_value(text)
    return answer if value is None else str(value)


def is_reduced(normalised: str) -> bool:
    """Whether a fraction, also a mixed number's, is in lowest terms; a number that is no fraction always is."""
    match = _FRACTION.fullmatch(normalised) or _MIXED.fullmatch(normalised)
    denominator = match[match.lastindex or 0] if match else None
    if denominator is None and normalised.count("/") == 1:
        denominator = normalised.split("/")[1]
    if denominator is None:
        return True
    value = value_of(normalised)
    return value is not None and str(value.denominator) == denominator.lstrip("+")


def parts_of(normalised: str) -> list[str]:
    """The parts of a list, tuple or interval without its brackets; one part for anything else."""
    is_bracketed = normalised[:1] in tuple("([{") and normalised[-1:] in tuple(")]}")
    return (normalised[1:-1] if is_bracketed else normalised).split(",")


def _without_thousands(text: str) -> str:
    joined = _THOUSANDS.sub(lambda match: _SEPARATOR.sub("", match[0]), text)
    # Brackets round one number would mean nothing: the comma of (1,200) parts a pair.
    is_bracketed = text.startswith(("(", "[", "{", "\\{")) and text.endswith((")", "]", "}"))
    return text if is_bracketed and "," not in joined else joined


def _without_blanks(text: str) -> str:
    # One kind of blank first: a run of them is then looked at once, not once from each of its characters.
    text = " ".join(_SPACES.sub(" ", text).split())
    return re.sub(r"(?<!\d) | (?!\d)", "", text)


def _braced(match: re.Match[str]) -> str:
    top, bottom = (part if part.startswith("{") else f"{{{part}}}" for part in match.groups())
    return f"\\frac{top}{bottom}"


def _mixed(normalised: str) -> Fraction | None:
    """A whole number and a proper fraction beside it, which are added; the sign is that of both."""
    match = _MIXED.fullmatch(normalised) if len(normalised) <= LONGEST_NUMBER else None
    if match is None:
        return None
    top, bottom = int(match[3] or match[5]), int(match[4] or match[6])
    if top >= bottom:
        return None
    value = int(match[2]) + Fraction(top, bottom)
    return -value if match[1] == "-" else value


def _quotient(top: Fraction | None, bottom: Fraction | None) -> Fraction | None:
    return top / bottom if top is not None and bottom else None


def _trusted(match: re.Match[str]) -> str:
    whole = match[0].partition(".")[0]
    number = Decimal(match[0])
    is_float = len(number.as_tuple().digits) in FLOAT_DIGITS and len(whole.lstrip("0")) < TRUSTED_DIGITS
    if not is_float:
        return match[0]
    rounded = f"{Context(prec=TRUSTED_DIGITS).plus(number).normalize():f}"
    # These may be the last digits of 1,234.5, or the end of a pair: of the first, there must stay three.
    may_end_thousands = len(whole) == 3 and match.string[: match.start()].endswith((",", ",}", "\\,"))
    has_three = len(rounded.partition(".")[0]) == 3
    return match[0] if may_end_thousands and not has_three else rounded


def _decimal(text: str) -> Fraction | None:
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def _same_float(answer: str, reference: str) -> bool:
    """Whether one is a large or small float as a program prints it, and the other what it is but for its error."""
    return any(
        exponent_digits(printed) in FLOAT_DIGITS and _is_near(parse_number(printed), parse_number(exact))
        for printed, exact in ((answer, reference), (reference, answer))
    )


def _is_near(printed: Fraction | None, exact: Fraction | None) -> bool:
    if printed is None or exact is None:
        return False
    if not exact:
        return abs(printed) < _NEARLY_ZERO
    return abs(printed - exact) * 10**TRUSTED_DIGITS <= abs(exact)


def _may_be_share(number: str) -> bool:
    value = parse_number(number)
    return value is not None and 0 < abs(value) < 1


def _is_price(number: str) -> bool:
    """Whether a dollar sign stands for money: one that only displays the number is closed by another."""
    return "\\$" in number or number.count("$") % 2 == 1


def _computed(number: str) -> Fraction | None:
    return value_of(without_float_noise(normalise(number)))
