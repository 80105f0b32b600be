"""Final answers: found in every form the data has, compared fairly, and never waited for."""

import json
import threading
import time

import pytest

from ml.answer_grading import GraderTimedOut, GradingProcess, math_verify_verdict
from ml.answers import _compared, extract_final_answer, is_equivalent, is_strictly_equal, judge
from ml.policies.prompt import load_prompt
from tests.data import real_data


@pytest.mark.parametrize(
    "text,answer",
    [
        (r"so \boxed{\frac{1}{2}} it is", r"\frac{1}{2}"),
        (r"first \boxed{1}, no, \boxed{2}", "2"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\fbox{7}", "7"),
        ("5 + 5 = 10\n#### 10", "10"),
        ("#### 1,234\n", "1,234"),
        ("A: 42.", "42"),
        ("# Answer\n\n7", "7"),
        ("Then, the final equation is A - B = -9. So the answer is -9", "-9"),
        ("The answer is: **12**.", "12"),
        ("the answer is 3.5.", "3.5"),
        ("The answer is 1. No, the answer is 2.", "2"),
        ("Final answer: $x^2$", "x^2"),
        ("The answer is : 5  \nDone.", "5"),
        ("the answer is 5. so it is", "5"),
        ("# answer :\n 5", "5"),
        (r"the answer is 3, in a box: \boxed{4}", "4"),
        (r"\boxed{never closed", None),
        (r"$\boxed{7}$ and \boxed{", "7"),
        (r"$\boxed{7}$ and {\boxed{8", "7"),
        (r"\boxed{a \boxed{7}", "7"),
        (r"\boxed{\frac{1}{\}}}", r"\frac{1}{\}}"),
        (r"\boxed {5}", "5"),
        (r"\boxed 5", "5"),
        (r"so $\boxed 5$.", "5"),
        (r"it is \(\boxed 3.5\), as said", "3.5"),
        (r"\boxed 5.", "5"),
        (r"\boxed\frac{1}{2}", None),
        (r"\boxedstep 5", None),
        (r"$\boxed \pi$", r"\pi"),
        (r"The answer is 5, in \boxed form.", r"5, in \boxed form"),
        ("**Final Answer**: 42", "42"),
        ("**Final Answer:** 42", "42"),
        ("**Final Answer:**\n\n42", "42"),
        ("The answer is\n42", "42"),
        ("The answer is:\n\n**42**\n", "42"),
        ("The final answer **is** 4", "4"),
        ("A: 3\nThe answer is 5", "5"),
        ("The answer is 5\nA: 3", "3"),
        ("#### 3\nNo, the answer is 5.", "5"),
        ("The answer is 5.\n#### 3", "3"),
        ("The answer is 5. The answer is:  ", "5"),
        ("The answer isn't 5", None),
        ("5+5=10 #### 10", "10"),
        ("####10", "10"),
        ("#### Step 2: add 3 and 4", None),
        ("####step 12", None),
        ("#### **Step 2:** add 3 and 4", None),
        ("#### Step 2: so the answer is 7", "7"),
        ("#### Steps taken: 2", "Steps taken: 2"),
        ("##### 7", None),
        ("### 7", None),
        ("#### Answer", None),
        ("#### Answer\n\n42", "42"),
        ("#### Answer: 42", "42"),
        ("#### Final Answer\n42", "42"),
        ("#### **Final answer:**\n42", "42"),
        ("## Answer\n42", "42"),
        ("## Final Answer\n \n**42**", "42"),
        ("### **Answer**:\n$x^2$", "x^2"),
        ("###### Answer :\n42", "42"),
        ("####### Answer\n42", None),
        ("## Answers\n42", None),
        ("#### 3\n## Answer\n4", "4"),
        ("## Answer\n4\n#### 3", "3"),
        ("nothing here", None),
        ("", None),
    ],
)
def test_final_answers_are_found_in_every_form(text, answer):
    assert extract_final_answer(text) == answer


@pytest.mark.parametrize(
    "text,answer",
    [
        ("The answer is (B) because it is.", "(B)"),
        ("The answer is 5, which is prime.", "5"),
        ("The answer is 12, as expected.", "12"),
        ("The answer is $5$, so we are done.", "5"),
        ("The answer is therefore 5.", "5"),
        ("The answer is, therefore, 5.", "5"),
        ("The answer is **therefore 5**.", "5"),
        ("The answer is approximately 3.14.", "3.14"),
        ("The answer is found to be 12.", "12"),
        ("The answer is given by $x=5$.", "x=5"),
        ("The answer is St. Petersburg.", "St. Petersburg"),
        ("The answer is St. Petersburg. It lies north.", "St. Petersburg"),
        ("The answer would be 5.", "5"),
        ("The answer would be (B).", "(B)"),
        ("The answer would be the sum of both.", None),
        ("The answer is obtained by adding both.", None),
        ("The answer is that there are more.", None),
        ("The answer is not 5.", None),
        ("The answer is 6. The answer is not 5.", "6"),
        ("The answer is as follows: 5", "5"),
        ("The answer is as follows: **$x = 5$**.", "x = 5"),
        ("The answer is as follows: Paris. It lies north.", "Paris"),
        ("The answer is as follows: we add both and are done.", None),
        ("The answer is as follows:", None),
        ("The answer is not enough information.", "not enough information"),
        ("The answer is about a boy.", "about a boy"),
        ("The answer is because of rain.", "because of rain"),
        ("The answer is $x=5$ and $y=3$.", "$x=5$ and $y=3$"),
        ("#### therefore 5, which is prime", "therefore 5, which is prime"),
    ],
)
def test_a_sentence_gives_its_answer_without_what_leads_to_it_and_what_follows(text, answer):
    assert extract_final_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "The answer is obtained by adding both.",
        "The answer is not 3.",
        "The answer would be the sum.",
        "If there were 3 boxes, the answer would be 7, but there are 4 boxes, so we go on.",
        "The answer is as follows: we add both.",
    ],
)
def test_a_step_that_only_speaks_of_its_answer_ends_no_solution(text):
    assert not load_prompt("prose").one_step(text, 9, stopped=True, ended=False).finished
    assert (
        load_prompt("prose").one_step("The answer is 3, as expected.", 9, stopped=True, ended=False).finished
    )


@pytest.mark.parametrize(
    "before,run,after",
    [
        ("# answer", " ", "y z"),
        ("# answer", "*", "y z"),
        ("# answer", "\n", ""),
        ("# ", "* ", "answer"),
        ("####", " ", "step"),
        ("#### ", "*", "\n"),
        ("", "#", ""),
        ("", "\n", ""),
        ("The answer is x", " ", "y"),
        ("answer: x", " ", "y"),
        ("The answer is x.", " ", "1"),
        ("The answer is ", ".", "x"),
        ("The answer is", "\n", ""),
        ("The answer is", " *", ""),
        ("Answer", "*", "y"),
        ("The answer is", " therefore", ""),
        ("The answer is therefore", " ", "x"),
        ("The answer is found to", " ", "x"),
        ("The answer is 5", ", ", "x"),
        ("The answer is 5,", " ", "x"),
        ("The answer would be", " ", "x"),
        ("The answer is as follows", " *", "x"),
        ("The answer is as follows:", " *", "x"),
        ("", "The answer would be ", ""),
        ("", "\\boxed{", ""),
        ("", "\\boxed{{", "}"),
        ("\\boxed", " ", ""),
        ("\\boxed ", "x", ""),
        ("", "\\boxed{", "}" * 64_000),
    ],
)
def test_a_long_run_of_blanks_or_full_stops_costs_no_more_than_reading_it(before, run, after):
    started = time.process_time()
    extract_final_answer(before + run * 64_000 + after)
    # A tenth of a second where every character is read once, many seconds where each begins a search of the rest.
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "answer,reference,primary,strict",
    [
        ("1/2", "0.5", True, True),
        (r"\frac12", r"\dfrac{1}{2}", True, True),
        ("1,000", "1000", True, True),
        ("$18", "18", True, True),
        ("-9", "\u22129", True, True),
        ("18.0", "18", True, True),
        ("3", "13", False, False),
        ("(1, 2)", "(1,2)", True, True),
        ("2/4", "1/2", True, False),
        ("1,-2", "-2,1", True, False),
        ("x+1", "1+x", True, False),
        (r"\sqrt{8}", r"2\sqrt{2}", True, False),
        (r"\$32", "32", True, True),
        (r"50\%", "50", True, True),
        ("50%", r"50\%", True, True),
        ("50%", "0.5", True, False),
        ("50%", "1/2", True, False),
        (r"\pi/2", r"\frac{\pi}{2}", True, True),
        ("a/b", r"\tfrac{a}{b}", True, True),
        (r"(\frac{\pi}{2}, x=\frac{a}{3})", r"(\pi/2,x=a/3)", True, True),
        (r"2^{\frac{1}{2}}", "2^{1/2}", True, True),
        ("2^1/2", r"2^\frac{1}{2}", False, False),
        (r"1/2x", r"\frac{1}{2}x", False, False),
        (r"31/2", r"3\frac{1}{2}", False, False),
        ("72 inches", "72", True, False),
        ("4343", "4343_6", True, False),
        ("", "1", False, False),
        ("1/0", "1", False, False),
    ],
)
def test_two_opinions_on_one_answer(answer, reference, primary, strict):
    verdict = judge(answer, reference)
    assert (verdict.primary, verdict.strict) == (primary, strict)
    assert verdict.agree == (primary == strict)


def test_an_absent_answer_is_wrong_to_both_opinions():
    assert judge(None, "1").agree and not judge(None, "1").primary
    assert not is_equivalent(None, "1") and not is_equivalent("1", None)


def test_numbers_are_compared_without_asking_the_slow_grader(monkeypatch):
    monkeypatch.setattr("ml.answers.math_verify_verdict", lambda *pair: pytest.fail("asked"))
    assert is_equivalent("7", "7.0") and not is_equivalent("123456789", "123456788")


@pytest.mark.parametrize(
    "printed,reference",
    [
        ("0.6666666666666666", "2/3"),
        ("0.6666666666666666", r"\frac{2}{3}"),
        ("0.30000000000000004", "0.3"),
        ("33.333333333333336", r"\frac{100}{3}"),
        ("-1.1428571428571428", "-8/7"),
        ("2.9999999999999996", "3"),
        ("7.000000000000001", "$7.0$"),
        ("-0.00029999999999999997", "-0.0003"),
        ("1,234.9999999999998", "1235"),
        ("12345678.999999998", "12345679"),
        ("2.9999999999999996 inches", "3 inches"),
        ("(2.9999999999999996, 1)", "(3, 1)"),
        ("x = 2.9999999999999996", "x = 3"),
        ("(0,100.00000000000001)", "(0,100)"),
        ("[0,333.33333333333337]", r"[0,333.333333333333]"),
        ("2.9999999999999996", "3.0000000000000004"),
    ],
)
def test_a_float_that_a_program_prints_is_right_to_the_primary_opinion_and_disputed(printed, reference):
    verdict = judge(printed, reference)
    assert (verdict.primary, verdict.strict) == (True, False)
    assert is_equivalent(reference, printed)


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("3.0001", "3"),
        ("3.0000001", "3"),
        # Twelve digits are trusted, and this one is different in its eleventh.
        ("3.0000000001234567", "3"),
        # Nobody's float has so many digits: it is meant exactly.
        ("2.99999999999999999999", "3"),
        ("10000000000000001", "10000000000000000"),
        ("1234567890123.0002", "1234567890120"),
        ("1234567890123.0002", "1234567890123"),
        ("0.00000000000001", "0"),
        ("(2.9999, 1)", "(3, 1)"),
        (r"0.333333333333333\overline{4}", r"0.333333333333\overline{4}"),
    ],
)
def test_what_is_no_rounding_error_of_a_float_stays_different(answer, reference):
    assert not is_equivalent(answer, reference) and not is_equivalent(reference, answer)


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("0.67", "2/3"),
        ("0.3333", "1/3"),
        ("3.14", "22/7"),
        ("12.5", "12.49998"),
        ("2.9999", "3"),
        ("0.00002", "0"),
        ("1/3", "1/2"),
        ("99999.99", "100000"),
        ("10000000000000001", "10000000000000000"),
    ],
)
def test_numbers_that_the_fast_path_refuses_are_refused_by_the_grader_too(answer, reference, monkeypatch):
    assert math_verify_verdict(answer, reference) is False
    assert math_verify_verdict(reference, answer) is False
    monkeypatch.setattr("ml.answers.math_verify_verdict", lambda *pair: pytest.fail("asked"))
    assert not is_equivalent(answer, reference) and not is_equivalent(reference, answer)


def test_the_grader_that_decided_is_named():
    assert judge("7", "8").grader == "number"
    assert judge("x+2", "2+x").grader.startswith("math-verify")


def test_an_answer_that_hangs_the_grader_is_stopped_by_the_wall_clock_also_in_a_thread():
    # Long enough for a plain comparison on a crowded machine, far too short for the hanging one.
    process = GradingProcess(seconds=2.0)
    assert process.compare("x", "x")
    found = []
    hanging = "(" * 40 + "x^{9^{9^{9}}}" + ")" * 40 + "+".join(f"\\sin(x^{{{n}}})" for n in range(200))

    def ask():
        with pytest.raises(GraderTimedOut):
            process.compare(f"\\int {hanging} dx", "9^{9^{9^9}}+1")
        found.append(process.timeouts)

    started = time.monotonic()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(60)
    assert found == [2]
    assert time.monotonic() - started < 50
    assert process.compare("x+1", "1+x") is True
    process.close()


def test_a_run_away_text_is_no_answer():
    assert not is_equivalent("9" * 5000, "9" * 5001)


def test_run_away_texts_are_not_kept_in_memory():
    before = _compared.cache_info().currsize
    assert not is_equivalent("9" * 5_000, "8") and not is_equivalent("8", "9" * 5_000)
    assert _compared.cache_info().currsize == before


def test_every_math500_answer_equals_itself_in_its_solution():
    path = real_data("math/math500.jsonl")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    found = [extract_final_answer(record["solution"]) for record in records]
    assert (
        sum(
            is_strictly_equal(one or "", record["answer"]) for one, record in zip(found, records, strict=True)
        )
        >= 490
    )
    assert all(one is not None for one in found)


def test_gsm8k_references_are_read_from_their_mark():
    path = real_data("gsm8k/test.jsonl")
    for line in path.read_text().splitlines()[:200]:
        answer = extract_final_answer(json.loads(line)["answer"])
        assert answer is not None and judge(answer, answer).primary
