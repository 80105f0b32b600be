"""The annotator's keys, as each person chooses them."""

from __future__ import annotations

import pytest

from labelsite.accounts import services
from labelsite.accounts.keymap import ACTIONS, KeyClash, bindings, checked, keys_of
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_a_remapped_key_wins_over_a_second_key() -> None:
    user = make_user()
    services.set_keys(user, {"bad": "a", "neutral": "-"})
    assert keys_of(user)["bad"] == "a"
    table = bindings(user)
    assert (table["a"], table["-"], table["0"]) == ("bad", "neutral", "neutral")
    assert user.preferences["keys"] == {"bad": "a", "neutral": "-"}


@pytest.mark.parametrize("chosen", [{"bad": "3"}, {"bad": "ab"}, {"submit": "Tab"}])
def test_a_key_that_would_do_two_things_or_is_none_is_refused(chosen) -> None:
    with pytest.raises(KeyClash):
        checked(chosen)


def test_keys_are_changed_on_the_settings_page_and_set_back(client) -> None:
    user = make_user()
    client.force_login(user)
    client.post("/settings/keys/", {"key_submit": "Space", "key_mark": "m"})
    user.refresh_from_db()
    assert user.preferences["keys"] == {"submit": "Space", "mark": "m"}
    assert bindings(user)[" "] == "submit"
    client.post("/settings/keys/", {"reset": "1"})
    user.refresh_from_db()
    assert "keys" not in user.preferences


def test_each_key_that_the_page_names_can_be_chosen(client) -> None:
    user = make_user()
    client.force_login(user)
    seconds = {key for action in ACTIONS.values() for key in action.also}
    named = {"Enter", "Space", "ArrowUp", *(seconds - {" "})}
    assert "Enter, Space, ArrowUp and so on" in client.get("/settings/").content.decode()
    for key in named - {ACTIONS["submit"].key}:
        assert checked({"help": key})["help"] == key
    services.set_keys(user, {"good": "ArrowUp"})
    assert bindings(user)["ArrowUp"] == "good"


def test_a_refused_key_map_comes_back_as_it_was_sent(client) -> None:
    user = make_user()
    client.force_login(user)
    sent = {"key_mark": "m", "key_undo": "m", "key_find": "<b>"}
    page = client.post("/settings/keys/", sent)
    shown = page.content.decode()
    assert page.status_code == 422 and "would do two things" in shown and "data-refused" in shown
    for field in ('name="key_mark" value="m"', 'name="key_undo" value="m"', 'value="&lt;b&gt;"'):
        assert field in shown
    assert 'name="key_submit" value="Enter"' in shown
    user.refresh_from_db()
    assert "keys" not in user.preferences


@pytest.mark.parametrize("address", ["keys", "password", "tokens"])
def test_who_comes_back_to_where_a_form_was_refused_gets_the_settings(client, address) -> None:
    client.force_login(make_user())
    changed = client.post("/language/", {"language": "ko", "next": f"/settings/{address}/"}, follow=True)
    assert changed.redirect_chain[-1] == ("/settings/", 302)
    assert changed.status_code == 200
