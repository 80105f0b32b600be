"""Which system calls a step may make, on each processor: the filter itself, and its tables against the kernel's."""

import re
import signal
import struct
from pathlib import Path

import pytest

from ml.execution import confinement
from ml.execution.confinement import filter_program


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
def test_the_filter_of_each_processor_ends_in_refusal_and_jumps_inside_itself(name):
    program = filter_program(name)
    assert program[-1][0] == 0x06 and program[-1][3] == 0x00050001
    for index, (_, yes, no, _) in enumerate(program):
        assert index + 1 + max(yes, no) < len(program) + 1
    allowed = {line[3] for line in program if line[0] == 0x15}
    for name_of_call, number in {
        "x86_64": {"socket": 41, "fork": 57, "execve": 59},
        "aarch64": {"socket": 198, "clone": 220, "execve": 221},
    }[name].items():
        assert number not in allowed, name_of_call
    # A fork is allowed in one form only, and only to a process whose forks are watched.
    assert set(filter_program(name, may_fork=True)) - set(program) == {
        (0x15, 0, 4, confinement._CHECKED[name]["clone"]),
        (0x15, 0, 1, confinement.FORK_FLAGS),
    }


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
def test_a_process_may_ask_to_be_killed_with_its_parent_and_not_take_that_back(name):
    def verdict(*arguments):
        return _returned(filter_program(name), name, confinement._CHECKED[name]["prctl"], arguments)

    assert verdict(1, signal.SIGKILL) == confinement._ALLOW
    assert {verdict(1, 0), verdict(1, signal.SIGCHLD), verdict(4, signal.SIGKILL)} == {confinement._REFUSE}


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
def test_limits_may_be_asked_for_and_not_set(name):
    def verdict(*arguments):
        return _returned(filter_program(name), name, confinement._CHECKED[name]["prlimit64"], arguments)

    assert verdict(0, 7, 0, 1) == confinement._ALLOW
    assert {verdict(0, 7, 1, 0), verdict(0, 7, 1 << 32, 0)} == {confinement._REFUSE}


def _returned(program, name, call, arguments):
    """What the kernel reads from a filter for a call."""
    data = struct.pack(
        "=iIQ6Q", call, confinement._AUDIT_ARCH[name], 0, *arguments, *[0] * (6 - len(arguments))
    )
    loaded, at = 0, 0
    while True:
        code, yes, no, value = program[at]
        if code == confinement._RETURN:
            return value
        if code == confinement._LOAD:
            (loaded,) = struct.unpack_from("=I", data, value)
            at += 1
            continue
        holds = {
            confinement._JUMP_EQUAL: loaded == value,
            confinement._JUMP_AT_LEAST: loaded >= value,
            confinement._JUMP_ANY_BIT: bool(loaded & value),
        }[code]
        at += 1 + (yes if holds else no)


@pytest.mark.parametrize(
    "name,headers",
    [
        ("x86_64", ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h")),
        ("aarch64", ("asm-generic/unistd.h",)),
    ],
)
def test_the_tables_numbers_are_the_kernel_s_own(name, headers):
    header = next((path for one in headers if (path := Path("/usr/include") / one).exists()), None)
    if header is None:
        pytest.skip("no kernel headers here (Debian: linux-libc-dev)")
    found = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", header.read_text())
    kernel = {call: int(number) for call, number in found}
    # The generic table calls it by the name of its older brother.
    kernel.setdefault("newfstatat", kernel.get("fstatat", -1))
    tables = confinement._ALLOWED[name] | confinement._CHECKED[name] | {"seccomp": confinement._SECCOMP[name]}
    assert {call: kernel.get(call) for call in tables} == tables


def test_a_processor_without_a_table_is_refused():
    with pytest.raises(OSError, match="no table of system calls for riscv64"):
        filter_program("riscv64")
