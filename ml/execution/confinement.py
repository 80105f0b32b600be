"""Takes from the calling process, for ever, what a step's Python never needs: rlimits, Landlock, seccomp.

Standard library and ctypes only, because the fork server imports it without the rest of the package.
Everything here is called in a forked child, just before it runs what a model wrote. Linux, x86-64 and arm64.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import struct
from collections.abc import Sequence

# For each step of a path, by a timer in the process and by the fork server; for a whole process by the kernel.
CPU_SECONDS = 2
PROCESS_CPU_SECONDS = 64 * CPU_SECONDS
MEMORY_BYTES = 512 * 1024 * 1024
OPEN_FILES = 32

PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 4, 38, 22
# The only fork there is: a child of the fork server, whose exit status is the server's to read.
FORK_FLAGS = 0x8000 | signal.SIGCHLD  # CLONE_PARENT
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights that exist from each Landlock version on; asking for one that the kernel lacks is an error.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
_BIND_AND_CONNECT, _SCOPED = 0b11, 0b11
_OLDEST_LANDLOCK = 1

_libc = ctypes.CDLL(None, use_errno=True)

# Calls without arguments worth checking: own memory, own clock, reading what Landlock lets one open.
_ALLOWED = {
    "x86_64": {
        "read": 0, "write": 1, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
        "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14,
        "rt_sigreturn": 15, "pread64": 17, "readv": 19, "writev": 20, "access": 21, "sched_yield": 24,
        "mremap": 25, "madvise": 28, "dup2": 33, "nanosleep": 35, "getpid": 39, "recvmsg": 47,
        "exit": 60, "uname": 63, "getcwd": 79, "readlink": 89, "gettimeofday": 96,
        "getrusage": 98, "times": 100, "getuid": 102, "getgid": 104, "geteuid": 107,
        "getegid": 108, "sigaltstack": 131, "gettid": 186, "time": 201, "futex": 202,
        "sched_getaffinity": 204, "getdents64": 217, "clock_gettime": 228, "clock_getres": 229,
        "clock_nanosleep": 230, "exit_group": 231, "newfstatat": 262, "readlinkat": 267, "faccessat": 269,
        "ppoll": 271, "set_robust_list": 273, "getrandom": 318, "membarrier": 324, "statx": 332,
        "rseq": 334, "faccessat2": 439,
    },
    "aarch64": {
        "getcwd": 17, "dup3": 24, "faccessat": 48, "close": 57, "getdents64": 61, "lseek": 62, "read": 63, "write": 64,
        "readv": 65, "writev": 66, "pread64": 67, "ppoll": 73, "readlinkat": 78, "newfstatat": 79,
        "fstat": 80, "exit": 93, "exit_group": 94, "futex": 98, "set_robust_list": 99, "nanosleep": 101,
        "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115, "sched_getaffinity": 123,
        "sched_yield": 124, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135,
        "rt_sigreturn": 139, "times": 153, "uname": 160, "getrusage": 165, "gettimeofday": 169,
        "getpid": 172, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178, "recvmsg": 212,
        "brk": 214, "munmap": 215, "mremap": 216, "mprotect": 226, "madvise": 233,
        "getrandom": 278, "membarrier": 283, "statx": 291, "rseq": 293, "faccessat2": 439,
    },
}  # fmt: skip
# Calls that are allowed for some values of one argument: (number, which argument).
_CHECKED = {
    "x86_64": {
        "openat": 257, "ioctl": 16, "fcntl": 72, "prlimit64": 302, "mmap": 9, "clone": 56, "prctl": 157,
        "setitimer": 38,
    },
    "aarch64": {
        "openat": 56, "ioctl": 29, "fcntl": 25, "prlimit64": 261, "mmap": 222, "clone": 220, "prctl": 167,
        "setitimer": 103,
    },
}  # fmt: skip
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_FILTER, _NEW_LISTENER = 1, 1 << 3
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# O_TMPFILE holds the bit of O_DIRECTORY, which listing a folder for an import needs.
_TEMPORARY = getattr(os, "O_TMPFILE", 0) & ~os.O_DIRECTORY
_WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | _TEMPORARY
_TCGETS = 0x5401
_HARMLESS_FCNTL = (1, 2, 3)  # F_GETFD, F_SETFD, F_GETFL
_MAP_SHARED = 1  # Memory that a process and its later siblings could both write.

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _REFUSE, _ASK = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x7FC00000
_X32_BIT = 0x40000000


def machine() -> str:
    """The processor's name as the tables have it."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())


def landlock_version() -> int:
    """The kernel's Landlock version, 0 where it has none or it is switched off."""
    version = _libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(0, int(version))


def is_possible() -> bool:
    """Whether this system has what `confine` needs. Where it has, a failure to confine may be a passing one."""
    return landlock_version() >= _OLDEST_LANDLOCK and machine() in _ALLOWED


def confine(readable: Sequence[str], watcher: socket.socket | None = None, is_partial: bool = False) -> None:
    """Confine the calling process; `readable` folders may be read, nothing may be written.

    watcher: who is sent the handle that decides over every fork of this process; without one it cannot fork.
    is_partial: go without what cannot be had here, as only an operator may say. Otherwise raises OSError where any part
    cannot be had: then nothing may be run.
    """
    attempt = contextlib.suppress(OSError, KeyError) if is_partial else contextlib.nullcontext()
    is_watched = False
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _limit()
    with attempt:
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "no_new_privs")
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    with attempt:
        _restrict_files_and_net(readable)
    with attempt:
        if watcher is not None:
            _have_forks_watched(watcher)
            is_watched = True
    with attempt:
        _filter_calls(may_fork=is_watched)


def _limit() -> None:
    """Budgets of this one process. It makes no other by itself, so they are totals."""
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESS_CPU_SECONDS, PROCESS_CPU_SECONDS + 1))
    memory = _address_space() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for name, value in (("FSIZE", 0), ("NOFILE", OPEN_FILES), ("CORE", 0), ("MEMLOCK", 0)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _address_space() -> int:
    """What the process has mapped already (the libraries that the server loaded beforehand)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _restrict_files_and_net(readable: Sequence[str]) -> None:
    version = landlock_version()
    if version < _OLDEST_LANDLOCK:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    rights = max(bits for since, bits in _FILE_RIGHTS.items() if since <= version)
    handled = [(1 << rights) - 1, _BIND_AND_CONNECT if version >= 4 else 0, _SCOPED if version >= 6 else 0]
    size = 8 if version < 4 else 16 if version < 6 else 24
    attributes = struct.pack("=QQQ", *handled)[:size]
    ruleset = _libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    for folder in readable:
        handle = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", _READ_FILE | _READ_DIR, handle)
        if _libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, ctypes.c_uint32(0)) != 0:
            raise OSError(ctypes.get_errno(), "landlock_add_rule")
        os.close(handle)
    if _libc.syscall(_LANDLOCK_RESTRICT, ruleset, ctypes.c_uint32(0)) != 0:
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)


def fork_number() -> int:
    """The number of the system call that a watched fork is."""
    return _CHECKED[machine()]["clone"]


def _have_forks_watched(watcher: socket.socket) -> None:
    """A first filter, which stops at each fork until the watcher has decided; the second one is stricter."""
    program = [
        (_LOAD, 0, 0, 0),
        (_JUMP_EQUAL, 0, 1, fork_number()),
        (_RETURN, 0, 0, _ASK),
        (_RETURN, 0, 0, _ALLOW),
    ]
    header, _buffer = _header(program)
    handle = _libc.syscall(_SECCOMP[machine()], _FILTER, _NEW_LISTENER, header)
    if handle < 0:
        raise OSError(ctypes.get_errno(), "seccomp listener")
    socket.send_fds(watcher, [b"w"], [handle])
    os.close(handle)


def _filter_calls(may_fork: bool) -> None:
    """Install the allow-list. What is not on it fails with EPERM: a program sees an error, and is not
    killed.
    """
    header, _buffer = _header(filter_program(machine(), may_fork))
    if _libc.prctl(_PR_SET_SECCOMP, 2, header, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def _header(program: Sequence[tuple[int, int, int, int]]) -> tuple[bytes, ctypes.Array[ctypes.c_char]]:
    """The kernel's description of a program, and the buffer that it points to, which must outlive it."""
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    return struct.pack("@HP", len(program), ctypes.addressof(buffer)), buffer


def filter_program(name: str, may_fork: bool = False) -> list[tuple[int, int, int, int]]:
    """The BPF program for a processor: (code, jump if true, jump if false, value) a line.

    Raises OSError for a processor without a table.
    """
    if name not in _ALLOWED:
        raise OSError(errno.ENOSYS, f"no table of system calls for {name}")
    program = [
        (_LOAD, 0, 0, 4),  # The ABI: another one has other numbers.
        (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[name]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_JUMP_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
    ]
    checked = _CHECKED[name]
    fork = [("clone", _if_one_of(_argument(0), (FORK_FLAGS,)))] if may_fork else []
    for call, block in (
        ("openat", _unless_any_bit(_argument(2), _WRITING_FLAGS)),
        ("ioctl", _if_one_of(_argument(1), (_TCGETS,))),
        ("fcntl", _if_one_of(_argument(1), _HARMLESS_FCNTL)),
        # Where the whole 64-bit argument is 0: one that only asks.
        ("prlimit64", _if_each_is((_argument(2), 0), (_argument(2) + 4, 0))),
        ("mmap", _unless_any_bit(_argument(3), _MAP_SHARED)),
        # With any other signal, or none, a process would outlive the server.
        ("prctl", _if_each_is((_argument(0), PR_SET_PDEATHSIG), (_argument(1), int(signal.SIGKILL)))),
        # A step's own budget: it counts this process's time, and signals this process.
        ("setitimer", _if_one_of(_argument(0), (int(signal.ITIMER_PROF),))),
        *fork,
    ):
        program += [(_JUMP_EQUAL, 0, len(block), checked[call]), *block]
    for number in sorted(_ALLOWED[name].values()):
        program += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    return [*program, (_RETURN, 0, 0, _REFUSE)]


def _argument(index: int) -> int:
    """Where the low half of a call's argument stands."""
    return 16 + 8 * index


def _unless_any_bit(where: int, bits: int) -> list[tuple[int, int, int, int]]:
    return [
        (_LOAD, 0, 0, where),
        (_JUMP_ANY_BIT, 1, 0, bits),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


def _if_one_of(where: int, values: Sequence[int]) -> list[tuple[int, int, int, int]]:
    lines = [(_LOAD, 0, 0, where)]
    for value in values:
        lines += [(_JUMP_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*lines, (_RETURN, 0, 0, _REFUSE)]


def _if_each_is(*expected: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Allow where at each place the value stands that is expected there."""
    lines = []
    for after, (where, value) in zip(reversed(range(len(expected))), expected, strict=True):
        lines += [(_LOAD, 0, 0, where), (_JUMP_EQUAL, 0, 2 * after + 1, value)]
    return [*lines, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
