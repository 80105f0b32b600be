"""How pages write figures: shares in per cent, measures with three decimals, a dash for the unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from django import template
from django.utils import formats
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from labelsite.autolabels import first_mistakes
from labelsite.autolabels.parameters import method_in_words
from labelsite.autolabels.wording import verdict_in_words
from labelsite.wording import Count, counted

register = template.Library()
register.filter("verdict", verdict_in_words)
register.filter("method", method_in_words)
register.filter("counted", counted)
UNKNOWN = "–"


def _is_known(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _written(value: float, places: int) -> str:
    """Rounded in the reader's notation: Django's own function cuts off what it does not show."""
    return formats.number_format(round(value, places), places)


@register.filter
def percent(value: float | None) -> str:
    """0.8571 -> 85.7 %"""
    if not _is_known(value) or value is None:
        return UNKNOWN
    return f"{_written(100 * value, 1)} %"


@register.filter
def percents(ends: Sequence[float] | None) -> str:
    """An interval of shares: (0.304, 0.589) -> 30.4–58.9 %"""
    low, high = ends or (None, None)
    if not _is_known(low) or not _is_known(high) or low is None or high is None:
        return UNKNOWN
    return f"{_written(100 * low, 1)}–{_written(100 * high, 1)} %"


@register.filter
def about(value: float | None) -> str:
    """An estimated count, with the two digits that it may be right in: 48,713 -> 49,000"""
    if not _is_known(value) or value is None:
        return UNKNOWN
    small = 0 if value < 100 else 1 - math.floor(math.log10(value))
    return str(Count(round(value, small)))


@register.filter
def measure(value: float | None) -> str:
    """A coefficient with three decimals."""
    return _written(value, 3) if _is_known(value) and value is not None else UNKNOWN


@register.filter
def measures(ends: Sequence[float] | None) -> str:
    """An interval of a coefficient: (0.304, 0.589) -> 0.304–0.589"""
    low, high = ends or (None, None)
    return UNKNOWN if UNKNOWN in (told := (measure(low), measure(high))) else "–".join(told)


@register.filter
def threshold(value: float | None) -> str:
    """A threshold of scores, which may lie very close to 0: three decimals, or three digits of a smaller one."""
    if not _is_known(value) or value is None or value == 0 or abs(value) >= 0.001:
        return measure(value)
    return _written(value, 2 - math.floor(math.log10(abs(value))))


@register.filter
def signed(value: float | None, places: int = 2) -> str:
    """A difference with its sign: +0.25, or a true minus."""
    if not _is_known(value) or value is None:
        return UNKNOWN
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{_written(abs(value), places)}"


@register.filter
def q(value: float | None) -> str:
    """A Q-value with two decimals and a true minus."""
    if not _is_known(value) or value is None:
        return UNKNOWN
    return f"{'−' if value < 0 else ''}{abs(value):.2f}"


@register.filter
def step_number(position: int | None) -> str:
    """A 0-based position as people count steps, "none" for no mistake (null, or -1 as gold has it), or "not known"."""
    if position == first_mistakes.UNKNOWN:
        return _("not known")
    if position is None or position < 0:
        return _("none")
    return str(position + 1)


@register.filter
def step_numbers(positions: Sequence[int | None]) -> str:
    """Several positions, the same one once."""
    return ", ".join(dict.fromkeys(step_number(position) for position in positions)) or UNKNOWN


@register.filter
def seconds(value: float | None) -> str:
    """A duration as people say it: 40 s, 12 min, 3.5 h."""
    if not _is_known(value) or value is None:
        return UNKNOWN
    if value < 90:
        return _("%(number)s s") % {"number": f"{value:.0f}"}
    if value < 5400:
        return _("%(number)s min") % {"number": f"{value / 60:.0f}"}
    return _("%(number)s h") % {"number": f"{value / 3600:.1f}"}


@register.simple_tag
def q_strip(values: Sequence[float | None], first_mistake: int | None = None) -> SafeString:
    """A solution's Q-values as a row of small bars; the run's first mistake in the colour of mistakes."""
    width, height = 9, 26
    low = -1.0 if any(value is not None and value < 0 for value in values) else 0.0
    bars = []
    for place, value in enumerate(values):
        share = 0.0 if value is None else (value - low) / (1 - low)
        tall = round(2 + share * (height - 2), 1)
        css = "strip-none" if value is None else "strip-bad" if place == first_mistake else "strip-good"
        bars.append((place * width, round(height - tall, 1), width - 2, tall, css))
    words = ", ".join(q(value) for value in values)
    return format_html(
        '<svg class="strip" width="{}" height="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        max(len(values) * width, 1), height, max(len(values) * width, 1), height, f"Q {words}",
        format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>', bars),
    )  # fmt: skip


@register.filter
def setting(value: object) -> str:
    """A setting or figure of unknown kind, as a table shows it."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(setting, value)) or UNKNOWN
    return str(value)
