"""Final answers are found in every form that the data has."""

import json
import time

import pytest

from ml.answers import is_strictly_equal, judge
from ml.answers_found import extract_final_answer
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
        ("\\boxed 5\\boxed 6 in all", "6"),
        ("**Final Answer**\n\n12", "12"),
        ("**Answer**\n$x^2$", "x^2"),
        ("**Final Answer**\n\nThe final answer is 12.", "12"),
        ("**Answers**\n12", None),
        ("So the answer is 18.\n\n**Final Answer**\nJohn has 18 apples.", "18"),
        ("So the answer is 5.\n\n**Answer**\n\n(see above)", "5"),
        ("So the answer is 5.\n\n**Answer**\nsee above.", "5"),
        ("The answer is 5.\n\n**Answer**\n6 in all, with both.", "6 in all, with both"),
        ("The answer is 5.\n\n**Answer**\ntwenty apples", "twenty apples"),
        ("The answer is 5.\n\n**Answer**\nx + y + z = 1", "x + y + z = 1"),
        ("The answer is 5.\n\n**Answer**\n$x + y + \\frac{1}{2}$", "x + y + \\frac{1}{2}"),
        ("**Final Answer**\nJohn has 18 apples.", "John has 18 apples"),
        (r"Put the answer in \boxed{}. The answer is 12.", "12"),
        (r"So \boxed{4}, in \boxed{ }", "4"),
        (r"in \boxed{}", None),
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
        ("The answer is **12**, i.e. a dozen.", "12"),
        ("The answer is 12, that is, a dozen.", "12"),
        ("The answer is the largest such number, namely $7$.", "the largest such number, namely $7$"),
        ("The answer is the smaller root, that is, $-3$.", "the smaller root, that is, $-3$"),
        ("The answer is twelve, i.e. 12.", "twelve, i.e. 12"),
        ("The answer is half, i.e. 1/2.", "half, i.e. 1/2"),
        ("The answer is x = 5, namely a prime.", "x = 5"),
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
        ("The answer is the sum of both, as expected.", None),
        ("The answer is the sum of the roots is $5$.", "the sum of the roots is $5$"),
        (r"The answer is the ratio of the areas, $\frac{1}{4}$.", r"the ratio of the areas, $\frac{1}{4}$"),
        ("The answer is the sum of these: $3+4=7$.", "the sum of these: $3+4=7$"),
        ("The answer is the product of all primes, 30.", "the product of all primes, 30"),
        ("The answer is the sum of both and equals 5.", "the sum of both and equals 5"),
        (r"The answer is in simplest form, $\frac{3}{4}$.", r"in simplest form, $\frac{3}{4}$"),
        ("The answer is in simplest form.", None),
        ("The answer is in rightmost place.", "in rightmost place"),
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
    "text,answer",
    [
        ("The final answer is:", None),
        ("The final answer is: ", None),
        ("The answer is :", None),
        ("The answer is...!", None),
        ("Thus the answer is $", None),
        ("Answer: ?", None),
        ("#### :", None),
        ("The answer is 5.\nThe answer is:", "5"),
        ("The answer is:\n\\[\n18\n\\]", "18"),
        ("The answer is:\n\n\\[\nx =\n18\n\\]\nas said.", "x = 18"),
        ("The answer is:\n\\[ 18\n\\]", "18"),
        ("The answer is:\n$$\n18\n$$", "18"),
        ("The answer is \\(\n18\n\\).", "18"),
        ("## Answer\n\n$$\n18\n$$", "18"),
        ("#### \\[\n18\n\\]", "18"),
        ("The answer is:\n\\[\n18", None),
        ("The answer is:\n\\[\n**\n\\]", None),
        ("The answer is \\[ 18 \\] or $$ 18 $$.", "\\[ 18 \\] or $$ 18 $$"),
        ("The answer is ∞.", "∞"),
        ("The answer is $\\emptyset$.", "\\emptyset"),
        ("The answer is ∅.", "∅"),
        ("The answer is {}.", "{}"),
        ("So the answer is ] ) >.", "] ) >"),
        ("So the answer is ]", "]"),
        ("So the answer is ( [", "( ["),
        ("The answer is <.", "<"),
        ("The answer is 열둘.", "열둘"),
    ],
)
def test_marks_alone_are_no_answer_and_displayed_latex_is_read_to_its_end(text, answer):
    assert extract_final_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "So there were 10 letters. The final answer is:",
        "The answer is:\n\\[",
        "The answer is obtained by adding both.",
        "The answer is not 3.",
        "The answer would be the sum.",
        "If there were 3 boxes, the answer would be 7, but there are 4 boxes, so we go on.",
        "The answer is as follows: we add both.",
        "We know the answer is less than 10, so we test 1 to 9.",
        "The answer is positive, so we take the root that is.",
        "The answer is a multiple of 3.",
        "Our answer is correct.",
        "The answer is the product of both.",
    ],
)
def test_a_step_that_only_speaks_of_its_answer_ends_no_solution(text):
    assert not load_prompt("prose").one_step(text, 9, stopped=True, ended=False).finished
    for end in ("The answer is 3, as expected.", "## Answer\nJohn has 18 apples.", "Answer: invalid"):
        assert load_prompt("prose").one_step(end, 9, stopped=True, ended=False).finished


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
        ("The answer is x", " *", "y"),
        ("The answer is x", " *y", ""),
        ("The answer is x", " **y", ""),
        ("The answer is x", " **y*", ""),
        ("The answer is **x", " ", "y"),
        ("The answer is 5", " (by", ""),
        ("The answer is 5", " (red ", ")x"),
        ("The answer is 5", "; red", "1"),
        ("The answer is 5 (red", " ", ""),
        ("Answer", "*", "y"),
        ("The answer is", " therefore", ""),
        ("The answer is the sum of", " ,", ""),
        ("The answer is the sum of ,", " ", ""),
        ("The answer is therefore", " ", "x"),
        ("The answer is found to", " ", "x"),
        ("The answer is 5", ", ", "x"),
        ("The answer is 5,", " ", "x"),
        ("The answer would be", " ", "x"),
        ("The answer is as follows", " *", "x"),
        ("The answer is as follows:", " *", "x"),
        ("", "The answer would be ", ""),
        ("The answer is:", " :", ""),
        ("", "The answer is \\[ ", ""),
        ("The answer is \\[", "\n", ""),
        ("", "\\boxed{", ""),
        ("", "\\boxed", "{"),
        ("", "\\boxed 5-", "{"),
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
