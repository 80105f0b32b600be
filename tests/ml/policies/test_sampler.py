"""What a text is drawn from is said in the request, and not left to what stands beside a server's model."""

from __future__ import annotations

import pytest

from ml.errors import MisstepError
from ml.policies.openai_server import ServerPolicy
from tests.ml.policies.small_server import PREFIX, completions

UNKNOWN_FIELD = {"detail": [{"type": "extra_forbidden", "loc": ["body", "top_p"], "msg": "not permitted"}]}
FIELDS = ("top_p", "top_k", "min_p", "repetition_penalty")


def sampler_of(body):
    return {name: body[name] for name in FIELDS if name in body}


def test_the_whole_distribution_is_asked_for_unless_the_address_says_otherwise(serve):
    server = serve(completions)
    ServerPolicy(server.address).complete([PREFIX], 2, 0.7, 0)
    ServerPolicy(server.address).next_steps([PREFIX], 2, 0.7, 0)
    options = "?top_p=0.95&top_k=20&min_p=0.05&repetition_penalty=1.05"
    ServerPolicy(server.address + options).complete([PREFIX], 2, 0.7, 0)
    assert [sampler_of(body) for body in server.requests] == [
        {"top_p": 1.0},
        {"top_p": 1.0},
        {"top_p": 0.95, "top_k": 20, "min_p": 0.05, "repetition_penalty": 1.05},
    ]
    assert type(server.requests[2]["top_k"]) is int


def test_another_sampler_is_another_policy_and_the_one_that_is_meant_anyway_is_not():
    address = "http://host:80/v1?model=x"
    options = ("", "&top_p=0.9", "&top_k=20", "&top_k=-1", "&min_p=0.1", "&repetition_penalty=1")
    assert len({ServerPolicy(address + option).name for option in options}) == len(options)
    assert ServerPolicy(address + "&top_p=1.0").name == ServerPolicy(address).name
    assert ServerPolicy(address + "&top_p=0.90&top_k=20").name == (
        "http://host:80/v1?model=x&max_tokens=1024&top_p=0.9&top_k=20"
    )


@pytest.mark.parametrize("value", ["nan", "inf", "1e400", "9" * 400, "-" + "9" * 400])
@pytest.mark.parametrize("field", FIELDS)
def test_a_number_that_no_server_could_take_is_refused_with_its_field(field, value):
    with pytest.raises(MisstepError, match=f"{field}={value}, expected a"):
        ServerPolicy(f"http://host:80/v1?model=x&{field}={value}")


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("count", [1, 3])
def test_a_server_that_does_not_know_top_p_is_asked_without_it_and_that_is_told_once(serve, status, count):
    server = serve(lambda body, n: (status, UNKNOWN_FIELD) if "top_p" in body else completions(body, n))
    policy = ServerPolicy(server.address)
    with pytest.warns(UserWarning, match="top_p is left to the server") as told:
        written = [policy.complete([PREFIX], count, 0.7, seed) for seed in (0, 1)]
    assert [len(rows[0]) for rows in written] == [count, count] and sum(
        one.category is UserWarning for one in told
    ) == 1
    # As many texts at once as without this, and nothing refused a second time.
    assert [("top_p" in body, body["n"]) for body in server.requests] == [
        (True, count),
        (False, count),
        (False, count),
    ]


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_was_asked_for_is_never_left_out(serve, field):
    refusal = {"error": f"{field} is not supported"}
    server = serve(lambda body, n: (400, refusal) if body.get(field, 1) != 1 else completions(body, n))
    with pytest.raises(MisstepError, match=f"HTTP 400: .*{field} is not supported"):
        ServerPolicy(f"{server.address}?{field}=0.5".replace("k=0.5", "k=5")).complete([PREFIX], 1, 0.7, 0)


@pytest.mark.parametrize("option", ["top_p=most", "top_k=nan", "min_p=inf", "repetition_penalty="])
def test_a_field_that_is_no_number_is_refused(option):
    address = f"http://host:80/v1?model=x&{option}"
    if option.endswith("="):
        # As with the other options, nothing said is the default.
        assert ServerPolicy(address).name == ServerPolicy("http://host:80/v1?model=x").name
        return
    with pytest.raises(MisstepError, match=r"expected a (whole )?number"):
        ServerPolicy(address)
