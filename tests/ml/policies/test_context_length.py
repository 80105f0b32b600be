"""A server whose context is short, in the words of several servers."""

import warnings

import pytest

from ml.policies.openai_server import ServerPolicy
from ml.policies.protocol import PartlyAnswered, Prefix, Unanswerable
from ml.records import Problem
from tests.ml.policies.small_server import completions

LONGEST = 2000
VLLM = (
    "This model's maximum context length is {longest} tokens. However, you requested {total} tokens "
    "({prompt} in the messages, {asked} in the completion). Please reduce the length of the messages or completion."
)
VLLM_OF_TODAY = (
    "'max_tokens' or 'max_completion_tokens' is too large: {asked}. This model's maximum context length is "
    "{longest} tokens and your request has {prompt} input tokens ({asked} > {longest} - {prompt})."
)
SGLANG = (
    "Requested token count exceeds the model's maximum context length of {longest} tokens. You requested a total of "
    "{total} tokens: {prompt} tokens from the input messages and {asked} tokens for the completion."
)
LLAMA = "the request exceeds the available context size, try increasing it"
TGI = (
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= {longest}. "
    "Given: {prompt} `inputs` tokens and {asked} `max_new_tokens`"
)
TENSORRT = (
    "The sum of prompt length ({prompt}.0), query length (0) and max_tokens ({asked}) should not exceed "
    "max_seq_len ({longest})"
)


def short_of_context(words, status=400):
    """A server for which every letter is a token."""

    def reply(body, number):
        prompt, asked = len(body["prompt"]), body["max_tokens"]
        if prompt + asked <= LONGEST:
            return completions(body, number)
        said = words.format(longest=LONGEST, prompt=prompt, asked=asked, total=prompt + asked)
        return status, {"error": {"message": said, "type": "BadRequestError", "code": status}}

    return reply


def prefix(steps=(), text="What is 1 + 1?"):
    return Prefix(Problem("p", text, "2"), tuple(steps), "prose")


@pytest.mark.parametrize(
    "words,exact",
    [(VLLM, True), (VLLM_OF_TODAY, True), (SGLANG, True), (TGI, True), (TENSORRT, True), (LLAMA, False)],
)
def test_fewer_tokens_are_asked_for_first(serve, words, exact):
    server = serve(short_of_context(words, 422 if words == TGI else 400))
    with pytest.warns(UserWarning, match="do not fit the server's context behind the prefix"):
        (written,) = ServerPolicy(server.address).complete([prefix(["x" * 1000])], 2, 0.7, 0)
    assert len(written) == 2 and written[0].finished
    last = server.requests[-1]
    assert last["prompt"] == server.requests[0]["prompt"] and last["max_tokens"] >= 400
    if exact:
        assert len(last["prompt"]) + last["max_tokens"] == LONGEST and len(server.requests) == 2


def test_then_the_oldest_steps_are_left_out(serve):
    server = serve(short_of_context(VLLM))
    steps = [letter * 600 for letter in "abcd"]
    with pytest.warns(UserWarning, match="the first 2 steps of the prefix do not fit"):
        ServerPolicy(server.address).next_steps([prefix(steps)], 1, 0.7, 0)
    last = server.requests[-1]
    assert "What is 1 + 1?" in last["prompt"] and "ccc" in last["prompt"] and "ddd" in last["prompt"]
    assert "bbb" not in last["prompt"]


def test_a_problem_that_fits_in_no_way_keeps_no_other_from_its_answer(serve):
    server = serve(short_of_context(SGLANG))
    policy = ServerPolicy(server.address)
    with pytest.raises(PartlyAnswered) as partly:
        policy.complete([prefix(), prefix(["One."], "x" * LONGEST)], 1, 0.7, 0)
    written, refused = partly.value.answers
    assert [written] == policy.complete([prefix()], 1, 0.7, 0)
    assert isinstance(refused, Unanswerable) and "'p' leaves no room in the policy's context" in str(refused)


def test_what_fits_is_asked_for_once_and_without_a_warning(serve):
    server = serve(short_of_context(VLLM))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ServerPolicy(server.address).complete([prefix(["One."])], 1, 0.7, 0)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "said",
    [
        "Input validation error: `inputs` must have less than 1024 tokens. Given: 1200",
        "The sum of prompt length (9351.0), query length (0) should not exceed max_num_tokens (8192)",
    ],
)
def test_a_prompt_that_is_too_long_by_itself_loses_steps_until_it_fits(serve, said):
    def reply(body, number):
        return (422, {"error": said}) if "aaa" in body["prompt"] else completions(body, number)

    server = serve(reply)
    with pytest.warns(UserWarning, match="the first 1 steps of the prefix do not fit"):
        ServerPolicy(server.address).next_steps([prefix(["a" * 9, "b"])], 1, 0.7, 0)
