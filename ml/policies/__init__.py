"""The policies that search can ask: the pocket policy, a local transformers model, an OpenAI-compatible
server.
"""

from __future__ import annotations

from collections.abc import Callable

from ml.cores import allotted_cores
from ml.errors import MisstepError
from ml.policies.model_folder import model_folder
from ml.policies.protocol import Policy

__all__ = ["engines_for", "load_policy", "rollout_style", "when_served"]

# See `engines_for`.
ITEMS_WORTH_AN_ENGINE = 32


def rollout_style(spec: str) -> str | None:
    """In which style a policy's rollouts are best written, None for the style of the steps before."""
    # The pocket policy is surer in code, where Python does the arithmetic, and needs half the tokens.
    return "code" if spec == "pocket" else None


def engines_for(items: int) -> int:
    """How many engines of the pocket policy pay for so many problems or solutions.

    One for each core (or as many as OMP_NUM_THREADS allots); a short run is over before a second has started.
    """
    return max(1, min(allotted_cores(), items // ITEMS_WORTH_AN_ENGINE))


def load_policy(spec: str, engines: int = 1, has_answered: bool = False) -> Policy:
    """The policy that `spec` names: "pocket", an http(s) address, or a folder with a model (FOLDER?rows=N&cache=MIB).

    engines: of the pocket policy, more than one as processes of their own. has_answered: an earlier start of this run
    was served, so that a server's host which is not found now is taken for an outage.
    Torch is imported only where the policy needs it. Raises MisstepError for anything else.
    """
    if spec == "pocket":
        from ml.pocket.policy import load_pocket_policy

        return load_pocket_policy(engines=engines)
    if spec.startswith(("http://", "https://")):
        from ml.policies.openai_server import ServerPolicy

        return ServerPolicy(spec, has_answered=has_answered)
    if (local := model_folder(spec)) is not None:
        from transformers.utils import logging

        from ml.policies.transformers_model import load_transformers_policy

        # A bar for weights that load in a moment, between the lines of a run's own progress.
        logging.disable_progress_bar()
        return load_transformers_policy(local)
    raise MisstepError(f"policy {spec!r}, expected pocket, a folder with a model, or an http(s) address")


def when_served(policy: Policy, mark: Callable[[], None]) -> None:
    """Call `mark` at a server's first answer, at once where it gave one already; never for other policies."""
    on_first_answer = getattr(policy, "on_first_answer", None)
    if on_first_answer is not None:
        on_first_answer(mark)
