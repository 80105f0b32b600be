"""What the doctor finds at BROKER_URL: brokers that run, also those that tell little of themselves, and none."""

from __future__ import annotations

import redis

from labelsite.embedded.broker_check import look


def test_a_broker_that_forbids_its_settings_runs_all_the_same(broker_url: str) -> None:
    server = redis.Redis.from_url(broker_url.replace("redis+socket://", "unix://"))
    server.execute_command("ACL SETUSER guest on >secret allkeys allcommands -config -info")
    finding = look(broker_url.replace("redis+socket://", "redis+socket://guest:secret@"))
    assert finding.state == "good" and "append-only file unknown" in finding.found
    server.execute_command("ACL DELUSER guest")
    told = look(broker_url)
    assert told.found.startswith("valkey ") and told.found.endswith("append-only file on")
    server.close()


def test_a_broker_of_another_kind_is_asked_for_a_connection() -> None:
    there = look("memory://")
    assert (there.state, there.found) == ("good", "memory")
    away = look("amqp://guest:secret@127.0.0.1:1//")
    assert away.state == "weak" and away.found == "amqp: [Errno 111] Connection refused"
    assert "BROKER_URL" in away.mend
    assert "No such transport" in look("nonsense://127.0.0.1").found


def test_no_broker_and_one_that_does_not_run_are_weak() -> None:
    assert (look("").state, look("").found) == ("weak", "none")
    away = look("redis://127.0.0.1:1/0")
    assert away.state == "weak" and "refused" in away.found
