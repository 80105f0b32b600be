"""The embedded servers, really started, really killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from labelsite.embedded import postgres
from labelsite.embedded.errors import EmbeddedError
from labelsite.embedded.postgres import EmbeddedPostgres
from labelsite.embedded.process import is_alive
from labelsite.embedded.supervisor import ensure, hold_servers
from labelsite.embedded.valkey import EmbeddedValkey
from tests.data import ROOT
from tests.embedded.conftest import processes_of
from tests.waiting import wait_until


def answer(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def modes_above(path: Path) -> dict[Path, int]:
    return {folder: folder.stat().st_mode for folder in path.parents}


def test_the_servers_are_durable_private_and_gone_after_the_last_user(var):
    before, accounts = modes_above(var / "x"), Path("/etc/passwd").read_bytes()
    first = hold_servers(var, ["postgres", "valkey"])
    second = hold_servers(var, ["postgres"])
    url = first.urls["postgres"]
    assert second.urls["postgres"] == url and second.keeper == first.keeper
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert answer(url, f"SHOW {setting}") == "on"
    assert answer(url, "SHOW listen_addresses") == ""
    assert answer(url, "SHOW unix_socket_permissions") == "0700"
    for folder in ("run", "postgres", "valkey", "log"):
        assert stat.S_IMODE((var / folder).stat().st_mode) == 0o700
        assert (var / folder).stat().st_uid == os.geteuid()
    broker = redis.Redis(unix_socket_path=str(var / "run" / "valkey.sock"))
    assert broker.config_get("appendonly") == {"appendonly": "yes"}
    assert broker.config_get("port") == {"port": "0"}
    broker.close()
    first.release()
    assert answer(url, "SELECT 1") == 1
    second.release()
    assert processes_of(var) == []
    assert modes_above(var / "x") == before
    assert Path("/etc/passwd").read_bytes() == accounts


def test_what_was_written_is_there_after_a_restart_and_after_every_process_was_killed(var):
    hold = hold_servers(var, ["postgres", "valkey"])
    with psycopg.connect(hold.urls["postgres"], autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (number int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    hold.release()
    hold = hold_servers(var, ["postgres", "valkey"])
    with psycopg.connect(hold.urls["postgres"], autocommit=True) as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
        # The client is acknowledged before the power fails.
        for line in processes_of(var):
            os.kill(int(line.split()[0]), signal.SIGKILL)
    wait_until(lambda: not is_alive(hold.keeper), what="the keeper's end")
    assert hold.is_lost()
    hold = hold_servers(var, ["postgres", "valkey"])
    assert answer(hold.urls["postgres"], "SELECT sum(number) FROM kept") == 3
    hold.release()


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_server_that_dies_while_it_is_needed_comes_back_by_itself(var, name):
    hold = hold_servers(var, [name])
    program = {"postgres": "bin/postgres -D", "valkey": "valkey-server"}[name]

    def server() -> list[int]:
        children = Path(f"/proc/{hold.keeper}/task/{hold.keeper}/children").read_text().split()
        return [
            int(pid)
            for pid in children
            if program in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        ]

    (before,) = server()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: [pid for pid in server() if pid != before], what="the new server")
    if name == "postgres":
        wait_until(lambda: _answers(hold.urls["postgres"]), what="an answer")
    hold.release()


def _answers(url: str) -> bool:
    try:
        return answer(url, "SELECT 1") == 1
    except psycopg.OperationalError:
        return False


def test_a_keeper_killed_alone_takes_its_servers_with_it(var):
    hold = hold_servers(var, ["postgres", "valkey"])
    os.kill(hold.keeper, signal.SIGKILL)
    wait_until(lambda: processes_of(var) == [], what="the servers' end")


def test_a_user_killed_with_sigkill_counts_as_gone(var):
    code = (
        "import sys, time; from pathlib import Path; from labelsite.embedded.supervisor import hold_servers;"
        "hold_servers(Path(sys.argv[1]), ['postgres']); print('up', flush=True); time.sleep(60)"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", code, str(var)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert user.stdout is not None and user.stdout.readline() == "up\n"
    assert len(processes_of(var)) >= 3
    user.kill()
    user.wait()
    user.stdout.close()
    wait_until(lambda: processes_of(var) == [], what="the servers' end")


def test_many_users_at_once_share_one_server(var):
    code = (
        "import sys; from pathlib import Path; from labelsite.embedded.supervisor import hold_servers;"
        "hold = hold_servers(Path(sys.argv[1]), ['postgres']); print(hold.keeper)"
    )
    users = [
        subprocess.Popen([sys.executable, "-c", code, str(var)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    with hold_servers(var, ["postgres"]).connection:
        keepers = {user.communicate(timeout=60)[0] for user in users}
    assert all(user.returncode == 0 for user in users)
    assert len(keepers) == 1


def test_nothing_starts_for_what_has_an_address(var, monkeypatch):
    monkeypatch.setenv("VAR", str(var))
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@example.invalid/misstep")
    monkeypatch.setenv("BROKER_URL", "redis://example.invalid/0")
    assert ensure() is None
    assert list(var.iterdir()) == []
    monkeypatch.delenv("BROKER_URL")
    hold = ensure()
    assert hold is not None and list(hold.urls) == ["valkey"]
    assert not (var / "postgres").exists()
    assert os.environ["BROKER_URL"] == hold.urls["valkey"]
    hold.release()


def test_a_stale_lock_with_the_number_of_a_stranger_does_not_stop_the_start(var):
    server = EmbeddedPostgres(var, durable=False)
    server.start()
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n0\n5432\n{var / 'run'}\n\n")
    server.start()
    assert server.is_running()
    server.stop()


def test_a_deep_folder_gets_a_short_private_place_for_its_sockets_and_remembers_it(var):
    deep = var / ("a-folder-with-a-long-name-" * 3) / ("b" * 60)
    hold = hold_servers(deep, ["postgres", "valkey"], durable=False)
    assert answer(hold.urls["postgres"], "SELECT 1") == 1
    hold.release()
    place = EmbeddedPostgres(deep).sockets
    assert EmbeddedValkey(deep).sockets == place
    assert len(str(place)) < 80 and stat.S_IMODE(place.stat().st_mode) == 0o700
    assert str(place) == (deep / "run" / "sockets_are_in").read_text().splitlines()[0]
    for left in place.iterdir():
        left.unlink()
    place.rmdir()


def test_a_socket_folder_that_others_may_enter_is_refused(var):
    (var / "run").mkdir(mode=0o755)
    (var / "run").chmod(0o755)
    with pytest.raises(EmbeddedError, match="mode 0755, expected 0700; run: chmod 700"):
        hold_servers(var, ["postgres"])
    assert stat.S_IMODE((var / "run").stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user id")
def test_root_without_user_namespaces_is_told_to_set_an_address_in_one_line(var, monkeypatch):
    monkeypatch.setattr(postgres, "OTHER_USER", ["unshare", "-U", "--map-user=not-a-number"])
    with pytest.raises(EmbeddedError, match="set DATABASE_URL") as refusal:
        EmbeddedPostgres(var).start()
    assert "\n" not in str(refusal.value)
    assert not (var / "postgres").exists()


def test_an_interrupted_first_start_leaves_nothing_that_hinders_the_next(var):
    (var / "postgres.partial").mkdir(mode=0o700)
    (var / "postgres.partial" / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(var, durable=False)
    server.start()
    assert answer(server.url, "SELECT 1") == 1
    server.stop()
    assert not (var / "postgres.partial").exists()


def test_a_management_command_starts_the_servers_and_leaves_none_behind(var):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "BROKER_URL") and not name.startswith("MISSTEP_TEST")
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "showmigrations", "jobs"],
        cwd=ROOT,
        env={**environment, "VAR": str(var), "DJANGO_SETTINGS_MODULE": "labelsite.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    # That the tables are missing can only be said by a database that answered.
    assert done.returncode == 0 and "[ ] 0001_initial" in done.stdout
    assert processes_of(var) == []
