"""A search tree is drawn so that it can be read, folded and walked."""

import re

from labelsite.autolabels.plots.tree import spoken, tree_svg
from labelsite.autolabels.trees import COMFORTABLE, TreeView, parse_toggled, with_toggled
from tests.autolabels.files import node, small_tree, tree_line


def chain_of_fans(fans: int, width: int):
    """A root with `width` children, the first of which has as many, and so on; visits fall with depth."""
    nodes, parent = [node(0, None, "", visits=1000)], 0
    for depth in range(1, fans + 1):
        first = len(nodes)
        nodes += [
            node(first + place, parent, f"step {depth}.{place}", visits=100 - depth) for place in range(width)
        ]
        parent = first
    nodes[-1]["terminal"] = "correct"
    return tree_line(1, nodes)


def test_every_leaf_has_a_row_of_its_own_and_a_parent_stands_in_that_of_its_first_child():
    view = TreeView(small_tree())
    rows = {shown.id: shown.row for shown in view.shown}
    assert sorted(rows[leaf] for leaf in (2, 3, 4)) == [0, 1, 2]
    assert rows[0] == rows[1] == rows[2]


def test_the_way_to_the_answer_is_one_straight_line_and_what_was_pruned_comes_last():
    data = small_tree()
    # The same branches, made in another order: pruned, wrong, right.
    pruned, wrong, right, end = (data["nodes"][number] for number in (4, 3, 1, 2))
    nodes = [
        data["nodes"][0],
        *({**node, "id": place} for place, node in enumerate((pruned, wrong, right, end), 1)),
    ]
    nodes[4]["parent"] = 3
    view = TreeView({**data, "nodes": nodes})
    assert [shown.id for shown in view.shown] == [0, 3, 4, 2, 1]
    assert {shown.row for shown in view.nodes if shown.on_best_path} == {0}


def test_the_way_to_the_answer_is_marked():
    view = TreeView(small_tree())
    assert [shown.id for shown in view.nodes if shown.on_best_path] == [0, 1, 2]
    assert view.counts() == {"nodes": 5, "correct": 1, "wrong": 1, "invalid": 0, "pruned": 1, "lost": 0}


def test_rollouts_that_nothing_could_grade_are_counted_and_their_step_shows_a_dash():
    data = small_tree()
    data["nodes"][3] |= {"q_value": None, "visits": 1, "lost": 6}
    view = TreeView(data)
    assert view.counts()["lost"] == 6
    assert "Q –" in spoken(view.nodes[3])


def test_a_folded_node_hides_everything_below_it():
    view = TreeView(small_tree(), toggled=[1])
    assert [shown.id for shown in view.shown] == [0, 1, 3, 4]
    assert view.nodes[1].hidden == 1


def test_a_large_tree_opens_only_in_part_and_keeps_the_way_to_the_answer_open():
    data = chain_of_fans(fans=100, width=20)
    view = TreeView(data)
    assert len(view.nodes) == 2001 > COMFORTABLE
    assert 100 <= len(view.shown) <= 250
    assert len(TreeView(data, is_all_open=True).shown) == 2001


def test_a_tree_a_thousand_steps_deep_is_drawn_without_recursion():
    nodes = [node(0, None, "")] + [node(number, number - 1, "go on") for number in range(1, 1200)]
    view = TreeView(tree_line(1, nodes), is_all_open=True)
    assert view.columns == 1200


def test_the_drawing_escapes_what_a_model_wrote_and_says_why_a_step_was_pruned():
    data = small_tree()
    data["nodes"][3]["text"] = '<script>alert("x")</script>'
    drawing = tree_svg(TreeView(data), "/trees/1/", "/trees/1/nodes/0/", [], None)
    assert "<script>" not in drawing
    assert "&lt;script&gt;" in drawing
    assert "its code failed" in drawing
    assert 'data-parent="1"' in drawing


def test_the_list_of_folded_nodes_survives_nonsense():
    assert parse_toggled("3,x,17,,-1,99999999999") == [3, 17]
    assert with_toggled([3, 17], 3) == "17"
    assert with_toggled([3], 17) == "3,17"


def test_an_end_shows_its_final_answer_cut_to_the_box_and_says_all_of_it():
    data = small_tree()
    data["nodes"][2]["final_answer"] = "123456789"
    view = TreeView(data)
    drawing = tree_svg(view, "/trees/1/", "/trees/1/nodes/0/", [], None)
    assert '>✓ <tspan unicode-bidi="isolate">12345…</tspan> · Q 1.00 · n 2<' in drawing
    assert "✓ 123456789 · Q 1.00" in spoken(view.nodes[2])


def test_an_answer_neither_turns_nor_hides_the_figures_beside_it():
    for answer, shown in [
        ("1\u202e", "1\ufffd"),
        ("1" + "\u0301" * 200_000, "1" + "\u0301" * 4 + "…"),
        ("a\x00\u200f\n b", "a\ufffd\ufffd b"),
        ("\u05d0<b>", "\u05d0&lt;b&gt;"),
    ]:
        data = small_tree()
        data["nodes"][2]["final_answer"] = answer
        view = TreeView(data)
        drawing = tree_svg(view, "/trees/1/", "/trees/1/nodes/0/", [], None)
        assert f'<tspan unicode-bidi="isolate">{shown}</tspan> · Q 1.00 · n 2<' in drawing
        assert len(drawing) < 20_000 and "\u202e" not in spoken(view.nodes[2])


def test_a_step_of_piled_up_marks_is_cut_to_the_box():
    data = small_tree()
    data["nodes"][2]["text"] = "1" + "\u0301" * 200_000
    drawing = tree_svg(TreeView(data), "/trees/1/", "/trees/1/nodes/0/", [], None)
    assert ">1" + "\u0301" * 20 + "…<" in drawing


def test_as_many_right_as_wrong_is_drawn_as_neither():
    data = small_tree()
    for place, q_value in enumerate([0.0, 1.0, 0.9, -1.0, -0.1]):
        data["nodes"][place]["q_value"] = q_value
    drawing = tree_svg(TreeView(data), "/trees/1/", "/trees/1/nodes/0/", [], None)
    assert re.findall(r'class="(tree-q[^"]*)"', drawing) == [
        "tree-q tree-q-even", "tree-q", "tree-q", "tree-q tree-q-bad", "tree-q tree-q-even",
    ]  # fmt: skip
