"""What a tree's code printed and how it went, where a method runs whole solutions and no single steps."""

from ml.execution import Execution, Verdict
from ml.records import Problem
from ml.search.tree import Tree

PRINTS = "It prints.\n```python\nprint({})\n```"


def grown(given=()):
    tree = Tree(Problem("p", "1 + 2", "3"), given, "code", "omegaprm")
    node = tree.root
    for text, code in ((PRINTS.format(1), "print(1)"), ("Only words.", None), (PRINTS.format(3), "print(3)")):
        node = tree.step(node, text, finished=False)
        node.code = code
    return tree, tree.path(node)[1:]


def test_every_step_that_ran_says_so_and_the_last_one_what_it_printed():
    tree, path = grown()
    tree.note_execution(path[-1], Execution(Verdict.OK, "3\n", "monty", 2))
    assert [node.verdict for node in path] == ["ok", None, "ok"]
    assert [node.output for node in path] == [None, None, "3\n"]
    assert [node.sandbox_level for node in path] == ["monty", None, "monty"]


def test_what_follows_a_failing_step_did_not_run():
    tree, path = grown()
    tree.note_execution(path[-1], Execution(Verdict.PROGRAM_ERROR, "", "monty", 0, "NameError: x"))
    assert [node.verdict for node in path] == ["program_error", None, None]
    assert path[-1].sandbox_level is None


def test_the_code_of_given_steps_is_not_taken_for_the_tree_s_own():
    tree, path = grown((PRINTS.format(0),))
    tree.note_execution(path[-1], Execution(Verdict.PROGRAM_ERROR, "", "monty", 2, "NameError: x"))
    assert [node.verdict for node in path] == ["ok", None, "program_error"]
    tree, path = grown((PRINTS.format(0),))
    tree.note_execution(path[-1], Execution(Verdict.PROGRAM_ERROR, "", "monty", 0, "NameError: x"))
    assert [node.verdict for node in path] == [None, None, None]


def test_a_failure_of_the_sandbox_gives_way_to_what_another_run_found():
    tree, path = grown()
    tree.note_execution(path[-1], Execution(Verdict.INFRASTRUCTURE, "", "monty", 0))
    tree.note_execution(path[-1], Execution(Verdict.OK, "3\n", "monty", 2))
    assert [node.verdict for node in path] == ["ok", None, "ok"]


def test_a_step_that_ran_by_itself_keeps_what_it_said():
    tree, path = grown()
    path[-1].output, path[-1].verdict = "mine", "ok"
    tree.note_execution(path[-1], Execution(Verdict.OK, "3\n", "monty", 2))
    assert path[-1].output == "mine"
