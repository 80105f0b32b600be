"""Learning curves for people: a table, the answer in sentences, and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.evaluation.label_worth import AUTOMATIC, HUMAN, curves, rising, worth
from ml.evaluation.line_plot import Line, line_plot

NAMES = {"f1": "F1", "step_auc": "step AUC"}
Row = Mapping[str, Any]


def report(points: Sequence[Row], left_out: Sequence[Row] = ()) -> str:
    """The curves and what follows from them, as Markdown; left_out: points that could not be measured."""
    found = curves(points)
    parts = [_table(found)]
    if left_out:
        lines = [
            f"- {one['labels']} labels, {one['size']} solutions, seed {one['seed']}: {one['reason']}"
            for one in left_out
        ]
        parts.append("Left out:\n\n" + "\n".join(lines))
    for measure, name in NAMES.items():
        parts.append(f"What a human label is worth, by {name}:\n\n" + "\n".join(answers(points, measure)))
    return "\n\n".join(parts) + "\n"


def _table(found: Mapping[str, Sequence[Row]]) -> str:
    lines = ["| labels | solutions | rollouts | seeds | F1 | step AUC |", "|---|---|---|---|---|---|"]
    for kind, rows in found.items():
        for row in rows:
            spent = "?" if row["rollouts"] is None else f"{row['rollouts']:,.0f}"
            figures = " | ".join(_with_spread(row, measure) for measure in NAMES)
            lines.append(f"| {kind} | {row['size']} | {spent} | {row['seeds']} | {figures} |")
    return "\n".join(lines)


def _with_spread(row: Row, measure: str) -> str:
    if row[measure] is None:
        return "–"
    spread = row[f"{measure}_spread"]
    return f"{row[measure]:.3f}" + ("" if spread is None else f" ± {spread:.3f}")


def answers(points: Sequence[Row], measure: str) -> list[str]:
    """One sentence for each number of human labels, and what these curves cannot bear."""
    found, rows = curves(points), worth(points, measure)
    if not rows:
        return [f"- Not known: it takes points with {HUMAN} and with {AUTOMATIC} labels."]
    search = [row for row in found[AUTOMATIC] if row[measure] is not None]
    told = [_sentence(row, measure, search) for row in rows]
    if min(row["seeds"] for of_kind in found.values() for row in of_kind) < 3:
        told.append("- Fewer than three seeds: differences between neighbouring points may be chance.")
    return told


def _sentence(row: Row, measure: str, search: Sequence[Row]) -> str:
    begin = f"- {row['human_labels']} human labels ({NAMES[measure]} {row[measure]:.3f})"
    if row["reached"] == "above":
        best = rising([one[measure] for one in search])[-1]
        return f"{begin}: the curves never meet; up to {search[-1]['size']} automatic labels reach {best:.3f} at most."
    if row["reached"] == "below":
        return f"{begin}: fewer than {search[0]['size']} automatic labels reach the same, the smallest size measured."
    rollouts = "" if row["rollouts"] is None else f", {row['rollouts']:,.0f} rollouts"
    worth_of = f"{row['automatic_per_label']:.2g} automatic labels"
    if row["rollouts_per_label"] is not None:
        worth_of += f" or {row['rollouts_per_label']:.2g} rollouts"
    text = f"{begin}: about {row['automatic_labels']:.0f} automatic labels reach the same{rollouts}. One is worth"
    return f"{text} {worth_of}{_seeds(row['by_seed'])}.{_next(row)}"


def _seeds(found: Sequence[float | None]) -> str:
    """How far the seeds' own answers lie apart."""
    if len(found) < 2:
        return ""
    met = sorted(value for value in found if value is not None)
    between = f"{met[0]:.2g} to {met[-1]:.2g}" if met else "none"
    missing = f"; in {len(found) - len(met)} of {len(found)} the curves do not meet" if None in found else ""
    return f" (seeds: {between}{missing})"


def _next(row: Row) -> str:
    """The worth of one more label, between this size and the next larger one."""
    unit = "rollouts" if row["next_label_in_rollouts"] is not None else "automatic_labels"
    value = row[f"next_label_in_{unit}"]
    return "" if value is None else f" One more is worth {value:.2g} {unit.replace('_', ' ')}."


def draw(points: Sequence[Row], folder: Path) -> list[str]:
    """Plots of both measures by labelled solutions, with the deviation over seeds; returns the files' names."""
    found, names = curves(points), []
    for measure, name in NAMES.items():
        lines = [Line(kind, _drawn(rows, measure)) for kind, rows in found.items()]
        if lines := [line for line in lines if line.points]:
            names.append(f"{measure}.svg")
            line_plot(
                folder / names[-1],
                f"{name} on held-out problems by labelled solutions",
                "labelled solutions",
                name,
                lines,
            )
    return names


def _drawn(rows: Sequence[Row], measure: str) -> list[tuple[float, float, float, float]]:
    drawn = []
    for row in rows:
        if row[measure] is not None:
            spread = row[f"{measure}_spread"] or 0.0
            drawn.append((row["size"], row[measure], row[measure] - spread, row[measure] + spread))
    return drawn
