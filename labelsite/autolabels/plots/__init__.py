"""Charts as SVG text: no script, no inline style, and always the same numbers as a table."""

from labelsite.autolabels.plots.charts import Series, bar_chart, line_chart
from labelsite.autolabels.plots.svg import Chart, Scale

__all__ = ["Chart", "Scale", "Series", "bar_chart", "line_chart"]
