"""Prompt templates: files that say how a prefix becomes text, and how a model's text becomes steps again.

The problem stands before the steps, and every step ends in the separator, so that a longer prefix begins with
a shorter one's text: a server's prefix cache, and ours, then pay for each step once.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ml.answers_found import extract_final_answer
from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.policies.protocol import Continuation, Prefix
from ml.segmentation import ends_in_fence, segment, split_code

FOLDER = Path(__file__).with_name("prompts")
STYLES = ("prose", "code")
# The template of a question, which no solution is written in; a family need not have one of its own.
CRITIC = "critic"
SHIPPED = ("", "pocket")
_KEYS = {"separator", "end", "segmentation", "prompt"}


@dataclass(frozen=True, slots=True)
class Prompt:
    """separator: what ends a step. end: what a model writes after its last step. segmentation: how a whole
    completion is cut: "separator", or a rule of `ml.segmentation`. template: text with {problem} and {steps}.
    """

    separator: str
    end: str
    segmentation: str
    template: str

    def render(self, prefix: Prefix) -> str:
        """The text that a model continues."""
        steps = "".join(step + self.separator for step in prefix.steps)
        # Not str.format: problems and steps are full of braces.
        before, _, rest = self.template.partition("{problem}")
        middle, _, after = rest.partition("{steps}")
        return before + prefix.problem.text + middle + steps + after

    def one_step(self, text: str, tokens: int, stopped: bool, ended: bool) -> Continuation:
        """A candidate next step from what a model wrote up to a stop.

        stopped: it did not run out of tokens. ended: the engine knows that the model ended by itself. Engines
        keep or drop the stop string, and few say which stop it was, so the text is looked at too. An end without a
        step says that the prefix is the whole solution: what marks the end stands behind the last step's separator.
        A step that nothing says the end of is cut.
        """
        body, marker, _ = text.partition(self.end)
        steps = self._cut(body)
        if not steps:
            return Continuation((), ended or bool(marker), tokens)
        step = steps[0]
        # A text that was not stopped in time goes on after the step: then what follows says nothing of it.
        finished = len(steps) == 1 and (ended or bool(marker))
        cut = not stopped and not marker and self.boundary(body) is None
        by_phrase = not finished and not cut and _states_an_answer(step)
        return Continuation((step,), finished or by_phrase, tokens, cut=cut, by_phrase=by_phrase)

    def completion(self, text: str, tokens: int, stopped: bool) -> Continuation:
        """A completion to the end; unfinished where the model ran out of tokens before its end.

        One without any step is an end as well: the model takes the prefix for the whole solution.
        """
        body, marker, _ = text.partition(self.end)
        steps = self._cut(body)
        finished = stopped or bool(marker)
        return Continuation(tuple(steps), finished, tokens, cut=not finished)

    def boundary(self, text: str) -> int | None:
        """Where the first step of a text ends, None where it goes on. White space before its first word is no end."""
        mark = self.separator.rstrip(" ")
        at = len(text) - len(text.lstrip())
        while (at := text.find(mark, at)) >= 0:
            if not self.is_inside_code(text[:at]):
                return at
            at += len(mark)
        return None

    def is_inside_code(self, text: str) -> bool:
        """Whether a separator behind the text would stand inside a code fence, where it parts no steps."""
        return self.segmentation != "separator" and ends_in_fence(text)

    def _cut(self, body: str) -> list[str]:
        if self.segmentation == "separator":
            return [step for step in body.split(self.separator) if step.strip()]
        return segment(body, self.segmentation)


def _states_an_answer(step: str) -> bool:
    return split_code(step)[1] is None and extract_final_answer(step, supposed=False) is not None


@lru_cache
def load_prompt(name: str) -> Prompt:
    """The template `name` of this package's folder, or of a path to a .toml file of one's own."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MisstepError(
            f"prompt {name!r}: no file {path}, expected a template like {FOLDER / 'prose.toml'}"
        ) from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise MisstepError(
            f"prompt {name!r}: {error}, expected a template like {FOLDER / 'prose.toml'}"
        ) from None
    template = content.get("prompt", "")
    if set(content) != _KEYS or "{problem}" not in template or not template.endswith("{steps}"):
        raise MisstepError(
            f"{path}: keys {', '.join(sorted(content))}, expected {', '.join(sorted(_KEYS))}, "
            "and a prompt with {problem} that ends in {steps}"
        )
    return Prompt(content["separator"], content["end"], content["segmentation"], template)


def families() -> list[str]:
    """The prompt families that this package's folder has."""
    names = (path.stem.rpartition("_") for path in FOLDER.glob("*.toml"))
    return sorted({family for family, _, style in names if family and style in STYLES})


def known_family(family: str) -> str:
    """The same; raises MisstepError for a family without a template of any style. One may be all that is asked for.

    Told before a model is asked: otherwise each prefix would come upon it in the middle of a run.
    """
    files = [FOLDER / f"{family}_{style}.toml" for style in STYLES]
    if family and not any(path.is_file() for path in files):
        there = ", ".join(families()) or "none"
        raise MisstepError(
            f"prompts {family!r}: no file {' or '.join(map(str, files))}, expected these files or a family that there"
            f" is ({there}); without prompts, {' and '.join(STYLES)} serve any model"
        )
    return family


def told_of_family(family: str) -> dict[str, str]:
    """What a policy's name says of its prompts: the family, and of one's own a hash of its templates, since people
    write them and change them. What ships changes with the code alone, and is not in the names of earlier runs.
    """
    if family in SHIPPED:
        return {"prompts": family} if family else {}
    paths = (FOLDER / f"{family}_{style}.toml" for style in (*STYLES, CRITIC))
    read = "".join(f"{path.stem} {sha256_of(path)}\n" for path in paths if path.is_file())
    return {"prompts": family, "templates": hashlib.sha256(read.encode()).hexdigest()[:8]}


def prompt_for(prefix: Prefix, family: str = "") -> Prompt:
    """The template of a prefix's style; `family` "pocket" gives pocket_prose and pocket_code."""
    own = f"{family}_{prefix.style}" if family else prefix.style
    is_missing = prefix.style == CRITIC and not (FOLDER / f"{own}.toml").is_file()
    return load_prompt(CRITIC if is_missing else own)
