"""Process reward models: `load_scorer(folder).score(problem, steps)` gives each step's probability."""

from ml.prm.score import Scorer, Unscored, load_scorer

__all__ = ["Scorer", "Unscored", "load_scorer"]
