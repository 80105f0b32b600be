"""Keys and values of prompts that the local `transformers` policy keeps from call to call."""

import pytest

pytest.importorskip("torch", reason="the extra `ml` is not installed")

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Lfm2Config,
    Lfm2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    MistralConfig,
    MistralForCausalLM,
)

from ml.execution import sandbox
from ml.pocket.problems import generate
from ml.policies import load_policy
from ml.policies.prompt import prompt_for
from ml.policies.protocol import Prefix
from ml.policies.transformers_prefixes import KeptPrefixes, States, may_be_read_in_parts
from ml.policies.transformers_reading import begun
from ml.policies.transformers_rows import Row
from ml.search import math_shepherd, rstar
from ml.search.meter import Meter
from ml.search.totals import Totals
from ml.search.walk import Walk
from tests.ml.policies.random_folder import make_random_folder

PROBLEMS = generate(3, seed=11)
TINY = dict(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_random_folder(tmp_path_factory.mktemp("random") / "model")


def exact(spec):
    """The policy in double precision: in float32 what is read together changes last bits, and with them a rare draw."""
    policy = load_policy(spec)
    policy.model.double()
    return policy


@pytest.fixture
def keeping(folder):
    return exact(str(folder))


@pytest.fixture(scope="module")
def forgetting(folder):
    return exact(f"{folder}?cache=0")


def length_of(policy, prefix):
    return len(policy.tokenizer(prompt_for(prefix, "").render(prefix))["input_ids"])


def steps_of(answers):
    return [[(one.steps, one.finished, one.tokens, one.cut) for one in row] for row in answers]


def grown(policy, prefixes, seed):
    """The prefixes, each with the first of its next steps."""
    answers = policy.next_steps(prefixes, 2, 0.8, seed)
    return [
        Prefix(one.problem, one.steps + row[0].steps, one.style)
        for one, row in zip(prefixes, answers, strict=True)
    ]


def test_a_prefix_that_was_read_is_not_read_again(keeping):
    prefix = Prefix(PROBLEMS[0], (), "prose")
    keeping.next_steps([prefix], 3, 0.8, 0)
    first = length_of(keeping, prefix)
    assert keeping.prompt_tokens == {"read": first, "reused": 0}
    keeping.complete([prefix], 3, 0.8, 1)
    assert keeping.prompt_tokens == {"read": first + 1, "reused": first - 1}
    longer = Prefix(PROBLEMS[0], ("First the bracket.",), "prose")
    keeping.next_steps([longer], 3, 0.8, 2)
    added = keeping.prompt_tokens["read"] - first - 1
    assert added <= length_of(keeping, longer) - first + 2


def test_problems_share_the_prompt_before_their_text(keeping):
    keeping.next_steps([Prefix(PROBLEMS[0], (), "prose")], 1, 0.8, 0)
    read = keeping.prompt_tokens["read"]
    keeping.next_steps([Prefix(PROBLEMS[1], (), "prose")], 1, 0.8, 0)
    assert keeping.prompt_tokens["read"] - read < read / 2


@pytest.mark.parametrize("kibibytes", [120, 1024**2])
def test_what_is_written_does_not_depend_on_what_is_kept(keeping, forgetting, kibibytes):
    policy = keeping
    policy.prefixes = KeptPrefixes(1024 * kibibytes)
    policy.rows_at_once = forgetting.rows_at_once = 8
    prefixes = [Prefix(problem, (), style) for problem in PROBLEMS[:2] for style in ("prose", "code")]
    for seed in range(3):
        ours, theirs = grown(policy, prefixes, seed), grown(forgetting, prefixes, seed)
        assert ours == theirs
        # One that is new among those that go on, so that they are read in passes of their own.
        prefixes = [*ours[:-1], Prefix(PROBLEMS[0], (f"Let us see {seed}.",), "prose")]
        assert steps_of(policy.complete(prefixes, 2, 0.8, seed)) == steps_of(
            forgetting.complete(prefixes, 2, 0.8, seed)
        )
        assert policy.prefixes.bytes <= policy.prefixes.bytes_kept
    assert policy.prompt_tokens["reused"] > 0 and forgetting.prompt_tokens["reused"] == 0


def test_a_searched_tree_is_the_same_and_its_cost_says_what_was_read(keeping, forgetting):
    trees, spent = [], []
    for policy in (keeping, forgetting):
        walk = Walk(policy, sandbox())
        meter = Meter(walk, walk.sandbox)
        search = rstar.search(PROBLEMS[0], rstar.RStar(rollouts=4, candidates=2), 0, style="prose")
        trees.append(next(iter(walk.drive([("x", search)]))).result.as_json())
        spent.append(meter.read()["prompt_tokens"])
        assert meter.read()["prompt_tokens"] == {}
    assert trees[0] == trees[1]
    with_reuse, without = spent
    assert "reused" not in without and without["read"] == with_reuse["read"] + with_reuse["reused"]
    assert with_reuse["read"] < without["read"] / 2


def test_a_pocket_run_says_nothing_of_prompts():
    walk = Walk(load_policy("pocket"), sandbox())
    meter = Meter(walk, walk.sandbox)
    options = math_shepherd.MathShepherd(rollouts=1, candidates=1)
    next(iter(walk.drive([("x", math_shepherd.search(PROBLEMS[0], options, 0, style="code"))])))
    assert "prompt_tokens" not in meter.read()


def test_a_run_counts_them_over_all_its_lines_and_only_where_the_policy_does():
    totals = Totals()
    line = {
        "cost": {}, "sandbox_executions": {}, "infrastructure": 0, "texts": {}, "disputed": None, "decided": 0,
        "ungraded": 0, "estimate": {"first_mistake": None, "steps": []},
    }  # fmt: skip
    totals.add(line)
    assert not any(name.startswith("prompt_tokens") for name in totals.counts())
    for read in (5, 7):
        totals.add(line | {"prompt_tokens": {"read": read, "reused": 3}})
    counts = totals.counts()
    assert (counts["prompt_tokens_read"], counts["prompt_tokens_reused"]) == (12, 6)


def models():
    torch.manual_seed(0)
    return [
        LlamaForCausalLM(LlamaConfig(**TINY, num_key_value_heads=1)),
        GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2)),
        MistralForCausalLM(MistralConfig(**TINY, num_key_value_heads=1, sliding_window=8)),
        Lfm2ForCausalLM(Lfm2Config(**TINY, num_key_value_heads=1, layer_types=["conv", "full_attention"])),
    ]


@torch.inference_mode()
@pytest.mark.parametrize("model", models(), ids=lambda model: type(model).__name__)
def test_logits_behind_a_kept_prefix_are_those_of_a_whole_reading(model):
    model.eval()
    numbers = torch.Generator().manual_seed(1)
    stem = torch.randint(1, 50, (12,), generator=numbers).tolist()
    rest = torch.randint(1, 50, (40,), generator=numbers).tolist()
    prompts = [stem, stem + rest[:3], stem[:7] + rest[3:6], rest, stem + rest[:3] + rest[9:30]]
    kept = KeptPrefixes(2**20)
    for several in (prompts[:1], prompts[1:3], prompts):
        rows = [Row(place, torch.Generator(), 9) for place in range(len(several))]
        batch = begun(model, several, rows, range(len(several)), kept)
        for row, logits, mask in zip(batch.rows, batch.logits, batch.mask, strict=True):
            prompt = several[row.prefix]
            alone = model(torch.tensor([prompt])).logits[0, -1]
            assert torch.allclose(logits, alone, atol=1e-5) and int(mask.sum()) == len(prompt)
        batch.read(torch.full((len(several),), 5))
        for row, logits in zip(batch.rows, batch.logits, strict=True):
            alone = model(torch.tensor([[*several[row.prefix], 5]])).logits[0, -1]
            assert torch.allclose(logits, alone, atol=1e-5)
    # Windows forget what they have passed, and states are of one place: neither can be gone on from elsewhere.
    has_plain_keys = isinstance(model, LlamaForCausalLM | GPT2LMHeadModel)
    assert (kept.reused > 0) == (kept.bytes > 0) == has_plain_keys


def test_nothing_is_kept_where_positions_stretch_with_the_length(folder):
    policy = load_policy(str(folder))
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    model = LlamaForCausalLM(LlamaConfig(**TINY, rope_parameters=rope))
    assert type(policy)(model, policy.tokenizer, "x").prefixes.bytes_kept == 0
    assert policy.prefixes.bytes_kept == 2**30


@torch.inference_mode()
def test_a_prompt_makes_the_logits_of_its_last_token_alone():
    model, shapes = models()[0].eval(), []
    model.lm_head.register_forward_hook(lambda _, given, made: shapes.append(tuple(made.shape)))
    begun(
        model, [[1, 2, 3], [4, 5, 6, 7, 8]], [Row(0, None, 9), Row(1, None, 9)], [0, 1], KeptPrefixes(2**20)
    )
    assert shapes == [(2, 1, 50)]


def test_the_context_of_a_model_that_also_reads_images_is_that_of_its_text(folder):
    policy = load_policy(str(folder))
    model = LlamaForCausalLM(LlamaConfig(**TINY))
    model.config = LlavaConfig(text_config=LlamaConfig(**TINY, max_position_embeddings=777))
    assert type(policy)(model, policy.tokenizer, "x")._longest == 777


def test_a_model_that_also_reads_images_is_asked_for_the_positions_of_its_text():
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    plain, stretched = (LlamaConfig(**TINY), LlamaConfig(**TINY, rope_parameters=rope))
    assert may_be_read_in_parts(LlavaConfig(text_config=plain))
    assert not may_be_read_in_parts(LlavaConfig(text_config=stretched))


def states_of(tokens):
    """States that say which tokens they are of: all before count, as they do in a model."""
    marks = torch.tensor([hash(tuple(tokens[: end + 1])) % 997 for end in range(len(tokens))]).float()
    keys = marks.view(1, 1, -1, 1).expand(2, 1, -1, 4).clone()
    return States(keys, keys + 1)


def found(kept, tokens):
    parts = kept.find(tokens)
    return torch.cat([part.keys for part in parts], dim=2) if parts else torch.zeros(2, 1, 0, 4)


def remember(kept, tokens):
    known = found(kept, tokens).shape[2]
    kept.keep(tokens, States(*(part[:, :, known:] for part in _both(states_of(tokens)))))


def _both(states):
    return states.keys, states.values


def test_kept_states_are_those_of_the_longest_common_prefix():
    kept, numbers = KeptPrefixes(2**20), torch.Generator().manual_seed(2)
    known = []
    for _ in range(60):
        length = int(torch.randint(1, 9, (), generator=numbers))
        tokens = torch.randint(0, 3, (length,), generator=numbers).tolist()
        common = max(
            (
                next((i for i in range(9) if one[: i + 1] != tokens[: i + 1] or i >= length), 9)
                for one in known
            ),
            default=0,
        )
        assert torch.equal(found(kept, tokens), states_of(tokens).keys[:, :, :common])
        remember(kept, tokens)
        known.append(tokens)
        assert torch.equal(found(kept, tokens), states_of(tokens).keys)


def test_what_was_used_longest_ago_goes_and_what_it_went_on_from_stays():
    kept = KeptPrefixes(4000)
    remember(kept, [1, 2, 3])
    remember(kept, [1, 2, 3, 4])
    remember(kept, [9, 9])
    for last in range(10, 30):
        # Still in use.
        assert found(kept, [1, 2, 3]).shape[2] == 3
        remember(kept, [last, last])
        assert kept.bytes <= 4000
    assert found(kept, [9, 9]).shape[2] == 0 and found(kept, [29, 29]).shape[2] == 2
    assert found(kept, [1, 2, 3, 4]).shape[2] == 3
    # More than there is room for is not worth the others' places.
    remember(kept, list(range(100, 400)))
    assert found(kept, [29, 29]).shape[2] == 2
