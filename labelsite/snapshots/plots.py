"""The chart of a snapshot: how literally its fused labels can be taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labelsite.autolabels.plots import Chart, Series, line_chart
from labelsite.autolabels.templatetags.figures import measure, percent
from labelsite.wording import counted


def calibration_chart(manifest: Mapping[str, Any]) -> Chart | None:
    """What fusion said of gold items against their gold; None where there was none, or labels are by another rule."""
    found = manifest.get("calibration")
    if not found:
        return None
    labels, posterior = found["labels"], found["posterior"]
    chart = line_chart(
        "calibration",
        _("Calibration of fusion on gold items"),
        _(
            "Share of steps that are right by the gold, by what fusion says of them. The gold's own witness does not "
            "testify. The expected calibration error of the labels is %(error)s."
        )
        % {"error": measure(labels["expected_calibration_error"])},
        [
            Series(_("the step itself (label)"), _points(labels), "plot-a", has_dots=True),
            Series(_("all steps up to it (posterior)"), _points(posterior), "plot-b", has_dots=True),
        ],
        _("what fusion says"),
        _("share of right steps"),
        x_range=(0, 1),
        y_range=(0, 1),
        has_diagonal=True,
    )
    told = {
        "count": counted(found["solutions"]),
        "labels": measure(labels["expected_calibration_error"]),
        "posterior": measure(posterior["expected_calibration_error"]),
        "exact": percent(found["exact"]),
    }
    note = ngettext(
        "%(count)s gold item; the expected calibration error is %(labels)s (labels) and %(posterior)s (posterior);"
        " the first mistake is named exactly in %(exact)s",
        "%(count)s gold items; the expected calibration error is %(labels)s (labels) and %(posterior)s (posterior);"
        " the first mistake is named exactly in %(exact)s",
        found["solutions"],
    )
    return replace(chart, note=note % told)


def _points(figures: Mapping[str, Any]) -> list[tuple[float, float]]:
    return [(one["score"], one["correct"]) for one in figures["bins"]]
