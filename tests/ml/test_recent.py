"""What is remembered stays within its bytes: verdicts of the second layer, and answers of a policy."""

from ml.execution import Execution, Sandbox, Verdict
from ml.execution.monty import Doubt, MontyRun
from ml.policies.protocol import Continuation, Prefix
from ml.recent import Recent
from ml.records import Problem
from ml.search.requests import Completions
from ml.search.walk import Walk


def test_the_value_used_longest_ago_goes_first_and_one_replaced_is_counted_once():
    recent = Recent(3 * 1512)
    for key in ("a", "b", "c"):
        recent.keep(key, key.upper(), 1000)
    recent.keep("b", "B", 1000)
    assert (recent.get("a"), recent.bytes) == ("A", 3 * 1512)
    recent.keep("d", "D", 1000)
    assert [recent.get(key) for key in "abcd"] == ["A", "B", None, "D"]
    recent.keep("too large", "x", 10_000)
    assert (len(recent), recent.bytes) == (0, 0)


def test_verdicts_with_long_outputs_stay_within_their_bytes(monkeypatch):
    monkeypatch.setattr("ml.execution.layers.VERDICT_BYTES_KEPT", 300_000)
    sandbox = Sandbox()
    ran = []

    def answer(codes, keep_states, is_partial):
        ran.append(codes[0])
        return Execution(Verdict.OK, "x" * 64_000, "process", 1)

    doubted = MontyRun(Execution(Verdict.PROGRAM_ERROR, "", "monty", 0), Doubt.POSSIBLE)
    monkeypatch.setattr(sandbox._monty, "run", lambda *args, **kwargs: doubted)
    monkeypatch.setattr(sandbox._process, "run", answer)
    monkeypatch.setattr(sandbox, "broken_promises", list)
    for number in range(20):
        sandbox.execute([f"x = {number}"])
    assert sandbox._known.bytes <= 300_000 and len(sandbox._known) == 4
    sandbox.execute(["x = 19"])
    sandbox.execute(["x = 0"])
    assert ran[20:] == ["x = 0"]
    sandbox.close()


def test_a_walk_s_answers_stay_within_their_bytes(monkeypatch):
    monkeypatch.setattr("ml.search.walk.BYTES_REMEMBERED", 1_000_000)
    walk = Walk(policy=None, sandbox=None)
    prefixes = [Prefix(Problem(id="p", text="q", answer="1"), (f"step {number}",)) for number in range(100)]
    requests = [Completions(prefix, 4, 1.0, 0) for prefix in prefixes]
    for request in requests:
        walk.remember(request, [Continuation(("y" * 10_000,), True, 5)] * 4)
    assert 0 < walk._memory.bytes <= 1_000_000
    assert walk.recall(requests[-1]) is not None and walk.recall(requests[0]) is None
