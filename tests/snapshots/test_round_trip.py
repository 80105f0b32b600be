"""Any PRM800K line that the format allows is taken, and survives the database, field for field."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from labelsite.annotations.importers import import_file
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.annotation_lines import annotations_of, prm800k_lines

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
spoken = texts.filter(str.strip)
ratings = st.sampled_from([-1, 0, 1, None])
flags = st.sampled_from([True, False, None])


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    completions = [
        {"text": draw(spoken), "rating": draw(ratings), "flagged": draw(flags)}
        for _ in range(draw(st.integers(1, 4)))
    ]
    human = draw(
        st.none()
        | st.fixed_dictionaries(
            {
                "text": spoken,
                "rating": st.none(),
                "source": st.just("human"),
                "flagged": st.booleans(),
            },
            optional={"corrected_rating": ratings},
        )
    )
    chosen = None if human else draw(st.none() | st.integers(0, len(completions) - 1))
    return {"completions": completions, "human_completion": human, "chosen_completion": chosen}


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    phase_two = {
        "ground_truth_solution": draw(st.none() | texts),
        "pre_generated_steps": draw(st.lists(spoken, max_size=4)),
        "pre_generated_answer": draw(st.none() | texts),
        "pre_generated_verifier_score": draw(st.floats(0, 1)),
    }
    question = {"problem": draw(spoken), "ground_truth_answer": draw(st.none() | texts)}
    return {
        "labeler": draw(texts),
        "timestamp": draw(texts),
        "generation": draw(st.none() | st.integers(-1, 9)),
        "is_quality_control_question": draw(st.booleans()),
        "is_initial_screening_question": draw(st.booleans()),
        "question": {**question, **(phase_two if draw(st.booleans()) else {})},
        "label": {
            "steps": draw(st.lists(steps(), min_size=1, max_size=5)),
            "total_time": draw(st.none() | st.integers(0, 10**6)),
            "finish_reason": draw(st.sampled_from(["found_error", "solution", "bad_problem", "give_up"])),
        },
    }


class AnyLine(TestCase):
    @given(st.lists(records(), min_size=1, max_size=4))
    @settings(max_examples=40, deadline=None)
    def test_any_line_comes_back_from_the_database_field_for_field(self, lines: list[dict[str, Any]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "lines.jsonl"
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
            import_file(path, "prm800k", "C")
        back = list(prm800k_lines(annotations_of(Campaign.objects.get())))
        assert [json.loads(json.dumps(record)) for record in back] == lines
