"""What leaves no room for what, whichever door asks."""

from __future__ import annotations

import pytest

from ml.commands.train import parser
from ml.training_contradictions import acting, contradictions

REFUSED = [
    ("classifier", "pocket", {}, []),
    ("classifier", "pocket", {"head": "likelihood", "classes": 3}, [("head", "classes")]),
    ("value", "pocket", {"head": "likelihood"}, [("head", "objective")]),
    ("value", "pocket", {"outcomes": True}, [("outcomes", "head"), ("outcomes", "objective")]),
    ("classifier", "pocket", {"language_weight": 0.0}, []),
    ("outcome", "pocket", {"weighting": "path"}, [("weighting", "trees")]),
    ("outcome", "pocket", {"weighting": "path", "trees": "problem"}, []),
    ("classifier", "small", {"extra_layers": 2}, [("extra_layers", "")]),
    ("classifier", "pocket", {"extra_layers": 1, "from_scratch": True}, [("extra_layers", "")]),
    ("classifier", "/some/folder", {"extra_layers": 1, "unpacked": True}, [("extra_layers", "")]),
    ("classifier", "/some/folder", {"from_scratch": True}, [("from_scratch", "base")]),
    ("classifier", "pocket-tall-reader", {"from_scratch": True}, [("from_scratch", "base")]),
    ("classifier", "small", {"unpacked": True}, [("unpacked", "base")]),
    ("classifier", "small", {"lora": 8}, [("lora", "base")]),
    ("classifier", "pocket", {"lora": 8}, [("extra_layers", "")]),
    ("classifier", "pocket", {"lora": 8, "extra_layers": 0}, []),
]  # fmt: skip


@pytest.mark.parametrize(("objective", "base", "chosen", "expected"), REFUSED)
def test_what_would_do_nothing_or_harm_names_the_option_and_what_it_needs(objective, base, chosen, expected):
    found = list(contradictions(objective, base, chosen))
    assert [(one.option, one.other) for one in found] == expected
    assert {name for one in found for name in (one.option, one.other) if name} <= set(
        vars(parser().parse_args(["--snapshot", "s", "--out", "o"]))
    )
    assert all(one.other or one.words for one in found)


def test_an_option_acts_where_it_is_asked_for_and_is_not_as_usual():
    usual = {"lora": 0, "head": "linear", "extra_layers": None, "bf16": False, "lora_targets": None}
    chosen = {"lora": 0, "head": "tokens", "extra_layers": 0, "bf16": False, "lora_targets": []}
    assert acting(chosen, usual.get) == {"head": "tokens", "extra_layers": 0}
