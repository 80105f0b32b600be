"""The policies that search can ask: the pocket policy, a local transformers model, an OpenAI-compatible
server.
"""

from __future__ import annotations

from pathlib import Path

from ml.errors import MisstepError
from ml.policies.protocol import Policy

__all__ = ["load_policy", "rollout_style"]

# The pocket policy is surer in code, where Python does the arithmetic, and needs half the tokens.
_ROLLOUT_STYLES = {"pocket": "code"}


def rollout_style(spec: str) -> str | None:
    """In which style a policy's rollouts are best written, None for the style of the steps before."""
    return _ROLLOUT_STYLES.get(spec)


def load_policy(spec: str) -> Policy:
    """The policy that `spec` names: "pocket", an http(s) address, or a folder with a model.

    Torch is imported only where the policy needs it. Raises MisstepError for anything else.
    """
    if spec == "pocket":
        from ml.pocket.policy import load_pocket_policy

        return load_pocket_policy()
    if spec.startswith(("http://", "https://")):
        from ml.policies.openai_server import ServerPolicy

        return ServerPolicy(spec)
    if Path(spec).is_dir():
        from ml.policies.transformers_model import load_transformers_policy

        return load_transformers_policy(Path(spec))
    raise MisstepError(f"policy {spec!r}, expected pocket, a folder with a model, or an http(s) address")
