"""`python -m tests.ml.search.chain_autolabel ...`: autolabel with the toy policy, for tests that kill it."""

import sys
import time

from ml.commands import autolabel
from ml.errors import MisstepError
from tests.ml.search.toy import ChainPolicy


class SlowChainPolicy(ChainPolicy):
    """So slow that a test can kill the run in the middle."""

    def complete(self, prefixes, count, temperature, seed):
        time.sleep(0.02)
        return super().complete(prefixes, count, temperature, seed)


if __name__ == "__main__":
    autolabel.load_policy = lambda spec, engines, **_: (SlowChainPolicy if spec == "slow" else ChainPolicy)(
        0.2
    )
    try:
        sys.exit(autolabel.main(sys.argv[1:]))
    except MisstepError as refusal:
        sys.exit(str(refusal))
