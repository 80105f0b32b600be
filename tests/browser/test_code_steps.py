"""A step's code is shown where it is what runs, and what it printed is told whatever the code looks like."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.problems.models import Step
from ml.segmentation import split_code
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = [
    "Plain words.",
    "",
    "a\n```\nplain\n```",
    "say ```python inline",
    "Run it.\n```python\nx = 1\n\nprint(x)\n```\nDone.",
    "Run it.\n```Python\nprint(1)\n```",
    "Run it.\n```python3\nprint(1)\n```",
    "Run it.\n``` py \r\nprint(1)\r\n```\r",
    "Run it.\n````python\nprint('''\n```\n''')\n````",
    "Run it.\n   ```python\nprint(1)\n  ```` \nDone.",
    '```json\n{"a": 1}\n```\nThen we run\n```python\nprint(1)\n```',
    "```text\n```python\nprint(1)\n```\nso",
    "a\n```python\nx = 1\n```\nb\n```py\nprint(x)\n```\nc",
    "a\n```python\n```\n```python\nprint(1)\n```",
    "It was cut off.\n```python\nx = 1\ny =",
    "a\n```python title\nprint(1)\n```",
    "a\n    ```python\nprint(1)\n    ```",
    "10. Run it.\n\n      ```python\n      if True:\n\n          print(1)\n    x\n      ```\nDone.",
    "   ```python\n   print(1)\n  ```\n\n   ```python\n   print(2)\n ```",
    "```python\n\n   x = 1\n  y\n   ```",
    "```python\n    # set up\nfor i in x:\n    print(i)\n```",
    "Do:\n  ```python\nfor i in x:\n  print(i)\n\n  ```",
    "a\n     ```text\n     b\n     ```",
    "a\n```python\nprint('''\n    ```\n''')\n```\nb",
]
SPLIT = """async (texts) => {
  const { splitCode } = await import('/static/code.js');
  return texts.map((text) => {
    const parts = splitCode(text) ?? [{ prose: text.split('\\n') }];
    const lines = (kind) => parts.flatMap((part) => part[kind] ?? []).join('\\n');
    return [lines('prose'), parts.some((part) => part.code) ? lines('code') : null];
  });
}"""


def test_a_page_finds_the_code_that_is_run(watched: Watched, transactional_db: None) -> None:
    watched.go("/login/")
    found = watched.page.evaluate(SPLIT, STEPS)
    assert {step: tuple(each) for step, each in zip(STEPS, found, strict=True)} == {
        step: split_code(step) for step in STEPS
    }


def test_long_code_is_there_whole_and_long_output_with_its_end_or_as_written_whole(
    watched: Watched, annotator: User
) -> None:
    code = "x = 1\n" * 4000 + "print('last line')"
    output = "first line\n" + "12 " * 2000 + "\nSo it is 42."
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution([f"```python\n{code}\n```"]))
    Step.objects.update(output=output, verdict="ok")
    watched.annotate(campaign, annotator)
    assert watched.page.text_content("#steps pre") == code
    printed = watched.page.text_content("#steps samp") or ""
    assert printed.startswith("first line\n12 ") and printed.endswith("12 \nSo it is 42.")
    assert "\n…\n" in printed and len(printed) == 4003
    watched.page.click("text=As written")
    assert watched.page.text_content("#steps samp") == output


def test_what_code_printed_is_told_below_the_last_code_and_where_none_is_known(
    watched: Watched, annotator: User
) -> None:
    steps = [
        '```json\n{"a": 1}\n```\nThen\n```python\nx = 1\n```\nand\n```Python\nprint(x)\n```\nSo 1.',
        "Run it.\n```sage\nprint(1)\n```",
    ]
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(steps))
    Step.objects.filter(position=0).update(output="1", verdict="ok")
    Step.objects.filter(position=1).update(output="NameError", verdict="program_error")
    watched.annotate(campaign, annotator)
    first, second = watched.page.locator("#steps > .step .step-said").all()
    assert " ".join(first.inner_text().split()) == '{"a": 1} Then x = 1 and print(x) printed 1 So 1.'
    assert first.locator("pre[aria-label=Python]").all_inner_texts() == ["x = 1", "print(x)"]
    assert second.inner_text().split()[-4:] == ["the", "code", "failed", "NameError"]
