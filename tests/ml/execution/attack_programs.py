# ruff: noqa: E501 - a program stands on its own line
"""At least 120 ways in which a step's Python may try to harm the machine, or to see what is not its
business.
"""

from __future__ import annotations

from pathlib import Path

# x86-64 system calls that no step needs; each is tried raw, past Python's own checks.
RAW_CALLS = {
    "socket": (41, 2, 1, 0), "connect": (42, 3, 0, 0), "bind": (49, 3, 0, 0), "socketpair": (53, 1, 1, 0),
    "clone": (56, 17, 0, 0), "clone as the server's own": (56, 0x8011, 0, 0), "fork": (57, 0, 0, 0), "vfork": (58, 0, 0, 0), "execve": (59, 0, 0, 0),
    "kill": (62, 1, 0, 0), "shmget": (29, 0, 4096, 0o1600), "msgget": (68, 0, 0o1600, 0),
    "semget": (64, 0, 1, 0o1600), "chdir": (80, 0, 0, 0), "rename": (82, 0, 0, 0), "mkdir": (83, 0, 0, 0),
    "unlink": (87, 0, 0, 0), "symlink": (88, 0, 0, 0), "chmod": (90, 0, 0, 0), "ptrace": (101, 0, 0, 0),
    "setuid": (105, 0, 0, 0), "setpgid": (109, 0, 0, 0), "setsid": (112, 0, 0, 0), "mknod": (133, 0, 0, 0),
    "personality": (135, 0xFFFFFFFF, 0, 0), "chroot": (161, 0, 0, 0), "mount": (165, 0, 0, 0),
    "reboot": (169, 0, 0, 0), "init_module": (175, 0, 0, 0), "tkill": (200, 1, 0, 0),
    "io_setup": (206, 1, 0, 0), "add_key": (248, 0, 0, 0), "keyctl": (250, 0, 0, 0),
    "inotify_init": (253, 0, 0, 0), "unshare": (272, 0x10000000, 0, 0), "splice": (275, 0, 0, 0),
    "eventfd2": (290, 0, 0, 0), "epoll_create1": (291, 0, 0, 0), "inotify_init1": (294, 0, 0, 0),
    "perf_event_open": (298, 0, 0, 0), "fanotify_init": (300, 0, 0, 0), "setns": (308, 0, 0, 0),
    "process_vm_readv": (310, 1, 0, 0), "finit_module": (313, 0, 0, 0), "seccomp": (317, 0, 0, 0),
    "memfd_create": (319, 0, 0, 0), "bpf": (321, 0, 0, 0), "userfaultfd": (323, 0, 0, 0),
    "pidfd_send_signal": (424, 0, 9, 0), "io_uring_setup": (425, 1, 0, 0), "clone3": (435, 0, 0, 0),
    "prctl to outlive its server": (157, 1, 0, 0), "pidfd_open": (434, 1, 0, 0), "openat2": (437, 0, 0, 0), "landlock_create": (444, 0, 0, 1),
}  # fmt: skip

FILES_TO_READ = (
    "/etc/passwd", "/etc/shadow", "/etc/hostname", "/root/.bash_history", "/proc/1/environ",
    "/proc/{pid}/environ", "/proc/{pid}/cmdline", "/proc/{pid}/maps", "/proc/self/environ", "/proc/self/maps",
    "/proc/self/mem", "/proc/cpuinfo", "/proc/net/tcp", "/proc/self/root/etc/passwd", "/proc/self/cwd/etc/passwd",
    "/sys/class/net/lo/address", "/dev/mem", "/dev/kmsg", "/dev/random", "/var/log/dpkg.log", "{secret}",
)  # fmt: skip
FOLDERS_TO_LIST = ("/", "/etc", "/home", "/tmp", "/proc", "/dev", "/dev/shm", "/var", "{folder}")
FILES_TO_WRITE = (
    "/tmp/{name}", "/dev/shm/{name}", "/var/tmp/{name}", "{folder}/written", "/etc/{name}", "/proc/self/comm",
    "./{name}", "/run/{name}",
)  # fmt: skip

SPECIAL = {
    "reads a folder handle": "import os\nfd = os.open('/', os.O_RDONLY)\nprint('BROKEN', fd)",
    "opens a path handle": (
        "import os\nfd = os.open('/etc/passwd', os.O_PATH)\n"
        "print('BROKEN', open(f'/proc/self/fd/{fd}').read())"
    ),
    "maps a file": (
        "import mmap, os\nfd = os.open('/etc/passwd', os.O_RDONLY)\nprint('BROKEN', mmap.mmap(fd, 0, prot=1)[:9])"
    ),
    "follows a symlink": (
        "import os\nos.symlink('/etc/passwd', '{folder}/link')\nprint('BROKEN', open('{folder}/link').read())"
    ),
    "makes a hard link": "import os\nos.link('{secret}', '{folder}/hard')\nprint('BROKEN')",
    "walks up with dots": "print('BROKEN', open('../../../../../../etc/passwd').read())",
    "reads through pathlib": "from pathlib import Path\nprint('BROKEN', Path('/etc/passwd').read_text())",
    "reads through io": "import io\nprint('BROKEN', io.FileIO('/etc/passwd').readall())",
    "reads through linecache": (
        "import linecache\nline = linecache.getline('/etc/passwd', 1)\nprint('BROKEN' if line else '')"
    ),
    "reads the secret's bytes": "print('BROKEN' if open('{secret}', 'rb').read() else '')",
    "truncates a file": "import os\nos.truncate('{secret}', 0)\nprint('BROKEN')",
    "removes a file": "import os\nos.remove('{secret}')\nprint('BROKEN')",
    "renames a file": "import os\nos.rename('{secret}', '{folder}/renamed')\nprint('BROKEN')",
    "changes a mode": "import os\nos.chmod('{secret}', 0o777)\nprint('BROKEN')",
    "changes an owner": "import os\nos.chown('{secret}', 1, 1)\nprint('BROKEN')",
    "touches times": "import os\nos.utime('{secret}', (0, 0))\nprint('BROKEN')",
    "makes a folder": "import os\nos.mkdir('{folder}/made')\nprint('BROKEN')",
    "makes a pipe file": "import os\nos.mkfifo('{folder}/fifo')\nprint('BROKEN')",
    "makes a temporary file": "import tempfile\ntempfile.NamedTemporaryFile()\nprint('BROKEN')",
    "makes an unnamed file": "import os\nos.open('/tmp', os.O_TMPFILE | os.O_RDWR)\nprint('BROKEN')",
    "uses shared memory": (
        "from multiprocessing import shared_memory\nshared_memory.SharedMemory(create=True, size=99)\nprint('BROKEN')"
    ),
    "maps shared memory": "import mmap\nmmap.mmap(-1, 4096)\nprint('BROKEN')",
    "speaks to the server": "import socket\nprint('BROKEN' if socket.socket(fileno=4).send(b'x') else '')",
    "passes a handle on": (
        "import socket\nsocket.send_fds(socket.socket(fileno=4), [b'x'], [1])\nprint('BROKEN')"
    ),
    "makes a pipe": "import os\nprint('BROKEN', os.pipe())",
    "resolves a name": "import socket\nprint('BROKEN', socket.getaddrinfo('localhost', 80))",
    "connects by TCP": "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)\nprint('BROKEN')",
    "sends by UDP": (
        "import socket\ns = socket.socket(2, 2)\ns.sendto(b'x', ('127.0.0.1', 53))\nprint('BROKEN')"
    ),
    "opens a raw socket": "import socket\nsocket.socket(2, 3, 1)\nprint('BROKEN')",
    "opens an abstract socket": (
        "import socket\ns = socket.socket(1, 1)\ns.bind(chr(0) + 'misstep')\nprint('BROKEN')"
    ),
    "opens a netlink socket": "import socket\nsocket.socket(16, 3, 0)\nprint('BROKEN')",
    "opens a vsock": "import socket\nsocket.socket(40, 1)\nprint('BROKEN')",
    "fetches an address": (
        "import urllib.request\nprint('BROKEN', urllib.request.urlopen('http://127.0.0.1:1').read())"
    ),
    "speaks on an inherited handle": (
        "import os\nfor fd in range(4, 300):\n    try:\n        os.write(fd, b'BROKEN')\n"
        "        print('BROKEN', fd)\n    except OSError:\n        pass"
    ),
    "takes the server's socket": "import socket\nprint('BROKEN', socket.socket(fileno=0))",
    "forks": "import os\nprint('BROKEN', os.fork())",
    "forks a bomb": "import os\nwhile True:\n    os.fork()\n    print('BROKEN')",
    "starts a thread": (
        "import threading\nt = threading.Thread(target=lambda: print('BROKEN'))\nt.start()\nt.join()"
    ),
    "starts a pool": (
        "from multiprocessing import Process\np = Process(target=print, args=('BROKEN',))\np.start()\np.join()"
    ),
    "runs a shell": "import os\nos.system('echo BROKEN')",
    "runs a subprocess": "import subprocess\nprint(subprocess.check_output(['echo', 'BROKEN']))",
    "spawns by posix_spawn": "import os\nos.posix_spawn('/bin/echo', ['echo', 'BROKEN'], {})",
    "replaces itself": "import os\nos.execvp('echo', ['echo', 'BROKEN'])",
    "opens a terminal": "import pty\npty.spawn(['echo', 'BROKEN'])",
    "kills the launcher": "import os\nos.kill({pid}, 9)\nprint('BROKEN')",
    "probes the launcher": "import os\nos.kill({pid}, 0)\nprint('BROKEN')",
    "kills its parent": "import os\nos.kill(os.getppid(), 9)\nprint('BROKEN')",
    "kills everybody": "import os\nos.kill(-1, 9)\nprint('BROKEN')",
    "kills its group": "import os\nos.killpg(0, 19)\nprint('BROKEN')",
    "sets an alarm": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 1)\nprint('BROKEN')",
    "reads the launcher's environment": "import os\nprint(os.environ['MISSTEP_TEST_SECRET'])",
    "reads every variable": "import os\nprint(dict(os.environ))",
    "reads the C environment": (
        "import ctypes\nf = ctypes.CDLL(None).getenv\nf.restype = ctypes.c_char_p\nprint(f(b'MISSTEP_TEST_SECRET'))"
    ),
    "finds itself privileged": "import os\nos.setuid(1)\nprint('BROKEN')",
    "lowers its priority value": "import os\nos.nice(-20)\nprint('BROKEN')",
    "lifts its memory limit": (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nprint('BROKEN')"
    ),
    "lifts its time limit": (
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (99, 99))\nprint('BROKEN')"
    ),
    "changes another's limits": (
        "import resource\nresource.prlimit({pid}, resource.RLIMIT_CPU, (9, 9))\nprint('BROKEN')"
    ),
    "pushes into a terminal": "import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSTI, b'x')\nprint('BROKEN')",
    "locks a file": "import fcntl\nfcntl.flock(1, fcntl.LOCK_EX)\nprint('BROKEN')",
    "takes 10 GiB at once": "x = bytearray(10 * 2**30)\nprint('BROKEN')",
    "takes memory bit by bit": "x = []\nwhile len(x) < 10000:\n    x.append(bytearray(2**20))\nprint('BROKEN')",
    "takes memory by strings": "x = 'a' * 2**34\nprint('BROKEN')",
    "takes memory by numpy": "import numpy\nx = numpy.ones(2**33)\nprint('BROKEN')",
    "loops for ever": "while True:\n    pass\nprint('BROKEN')",
    "counts for ever": "x = 0\nwhile x >= 0:\n    x += 1\nprint('BROKEN')",
    "raises a tower": "x = 9**9**9\nprint('BROKEN')",
    "loops past its own end": (
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        print('caught')"
    ),
    "ignores the time signal": (
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True:\n    pass\nprint('BROKEN')"
    ),
    "floods the output": "while True:\n    print('x' * 1000)",
    "floods the error output": "import sys\nwhile True:\n    sys.stderr.write('x' * 1000)",
    "floods by one line": "print('x' * 10**8)\nimport os\nos.write(1, b'BROKEN')",
    "floods the report": "import os\nwhile True:\n    os.write(3, b'x' * 1000)",
    "drips its report": (
        "import os, select\nos.write(3, b'x\\n' * 20_000)\nwhile True:\n    select.poll().poll(5)\n    os.write(3, b'x')"
    ),
    "closes its pipes and waits": (
        "import os, select\nfor fd in (1, 2, 3):\n    os.close(fd)\nselect.poll().poll(600_000)"
    ),
    "grows after it is done": (
        "import os\nos.write(3, b'{\"done\": true}\\n')\nx = []\nwhile True:\n    x.append(bytearray(b'1' * 2**20))"
    ),
    "recurses in Python": "def f():\n    return f()\nf()\nprint('BROKEN')",
    "recurses in C": "x = []\nfor _ in range(10**6):\n    x = [x]\nrepr(x)\nprint('BROKEN')",
    "nests brackets": "eval('(' * 10**5 + ')' * 10**5)\nprint('BROKEN')",
    "nests a long sum": "eval('+'.join(['1'] * 10**6) + '*' * 10**5)\nprint('BROKEN')",
    "parses a deep program": "exec('if 1:\\n' + ''.join(' ' * i + 'if 1:\\n' for i in range(1, 500)))\nprint('BROKEN')",
    "backtracks": "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
    "crashes by ctypes": "import ctypes\nctypes.string_at(1)\nprint('BROKEN')",
    "crashes by bytecode": (
        "f = lambda: 0\nf.__code__ = f.__code__.replace(co_code=b'\\x64\\xff' * 9)\nf()\nprint('BROKEN')"
    ),
    "aborts": "import os\nos.abort()\nprint('BROKEN')",
    "climbs from a tuple to the file opener": (
        "for c in ().__class__.__base__.__subclasses__():\n    if c.__name__ == 'FileIO':\n"
        "        print('BROKEN', c('/etc/passwd').read())"
    ),
    "climbs to os by a loader": (
        "for c in ().__class__.__base__.__subclasses__():\n    if c.__name__ == 'BuiltinImporter':\n"
        "        c.load_module('posix').system('echo BROKEN')"
    ),
    "climbs by a frame": (
        "import sys\nframe = sys._getframe()\nwhile frame.f_back:\n    frame = frame.f_back\n"
        "print(frame.f_globals['os'].system('echo BROKEN'))"
    ),
    "climbs by a traceback": (
        "try:\n    1 / 0\nexcept Exception as e:\n    f = e.__traceback__.tb_frame.f_back\n"
        "    print(f.f_globals['os'].popen('echo BROKEN').read())"
    ),
    "patches the reporter": (
        "import sys\nm = sys.modules['__main__']\nm.os._exit = lambda s: None\nm.os.execv('/bin/echo', ['echo', 'BROKEN'])"
    ),
    "unpickles a command": ("import pickle\npickle.loads(b'cposix\\nsystem\\n(S\"echo BROKEN\"\\ntR.')"),
    "imports from a folder of its own": (
        "import sys\nsys.path.insert(0, '{folder}')\nopen('{folder}/own.py', 'w').write('x = 1')\nimport own\nprint('BROKEN')"
    ),
    "reads the launcher's memory": (
        "f = open('/proc/{pid}/mem', 'rb')\nf.seek(4096)\nprint('BROKEN', f.read(1))"
    ),
    "looks for a GPU": "print('BROKEN', open('/dev/nvidia0', 'rb'), open('/dev/nvidiactl', 'rb'))",
    "waits for input": "print(input())\nprint('BROKEN')",
    "changes the root": "import os\nos.chroot('/')\nprint('BROKEN')",
    "changes the host's name": "import socket\nsocket.sethostname('x')\nprint('BROKEN')",
    "sets the clock": "import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)\nprint('BROKEN')",
    "leaves state for the next": "import builtins\nbuiltins.MISSTEP_LEFT = 1",
    "finds state of the one before": "import builtins\nprint('BROKEN' if hasattr(builtins, 'MISSTEP_LEFT') else '')",
}

# (the step that both follow, the sibling that leaves something, the sibling that must not find it)
_LOOKS = "print('BROKEN' if {} else '')"
SIBLINGS = {
    "a list": ("x = [1]", "x.append(2)", "print(x)"),
    "a name": ("x = 1", "left = 2", _LOOKS.format("'left' in globals()")),
    "a function's default": (
        "def f(seen=[]):\n    return seen",
        "f().append(1)",
        _LOOKS.format("f()"),
    ),
    "a builtin": (
        "import builtins",
        "builtins.MISSTEP_LEFT = 1",
        _LOOKS.format("hasattr(builtins, 'MISSTEP_LEFT')"),
    ),
    "a module": ("import math", "math.pi = 3", _LOOKS.format("math.pi == 3")),
    "a module of numpy": (
        "import numpy",
        "numpy.left = 1",
        _LOOKS.format("hasattr(numpy, 'left')"),
    ),
    "an array": ("import numpy\nx = numpy.zeros(10**6)", "x += 1", _LOOKS.format("x.any()")),
    "the environment": (
        "import os",
        "os.environ['MISSTEP_LEFT'] = '1'",
        _LOOKS.format("'MISSTEP_LEFT' in os.environ"),
    ),
    "the modules": ("import sys", "sys.modules['left'] = 1", _LOOKS.format("'left' in sys.modules")),
    "shared memory": (
        "import mmap\ntry:\n    m = mmap.mmap(-1, 4096)\nexcept OSError:\n    m = bytearray(4096)",
        "m[:4] = b'left'",
        _LOOKS.format("bytes(m[:4]) == b'left'"),
    ),
    "a handle": (
        "import os\nkept = []\nfor fd in range(3, 30):\n    try:\n        kept.append(os.dup2(fd, fd + 30))\n"
        "    except OSError:\n        pass",
        "for fd in kept:\n    try:\n        os.write(fd, b'BROKEN')\n    except OSError:\n        pass",
        "print('fine')",
    ),
    "the next one's order": (
        "import socket, os\ncopy = 40\ntry:\n    os.dup2(4, copy)\nexcept OSError:\n    pass",
        "try:\n    print(socket.socket(fileno=copy).recv_fds(9, 9))\nexcept Exception:\n    pass",
        "print('fine')",
    ),
    "the random numbers": (
        "import random\nfirst = random.getstate()",
        "random.seed(77)",
        _LOOKS.format("random.getstate() != first"),
    ),
    "its own end": ("import os", "os._exit(0)", "print('fine')"),
}


# What these do can only be stopped by the clock or the kernel, which is no evidence about a step.
ENDED_BY_FORCE = {
    "drips its report",
    "closes its pipes and waits",
    "floods the report",
}


def attack_programs(pid: int, secret: Path, folder: Path) -> dict[str, str]:
    """Every attack by name, aimed at this process, this secret file and this folder."""

    def aim(text: str) -> str:
        for name, value in (
            ("{pid}", pid),
            ("{secret}", secret),
            ("{folder}", folder),
            ("{name}", "misstep-left"),
        ):
            text = text.replace(name, str(value))
        return text

    programs = {name: aim(code) for name, code in SPECIAL.items()}
    for path in FILES_TO_READ:
        programs[f"reads {path}"] = (
            f"print('BROKEN' if open({aim(path)!r}, 'rb').read(9) is not None else '')"
        )
    for path in FOLDERS_TO_LIST:
        programs[f"lists {path}"] = f"import os\nprint('BROKEN', os.listdir({aim(path)!r}))"
    for path in FILES_TO_WRITE:
        programs[f"writes {path}"] = f"open({aim(path)!r}, 'w').write('x')\nprint('BROKEN')"
    for name, (number, *arguments) in RAW_CALLS.items():
        programs[f"calls {name}"] = (
            "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
            f"result = libc.syscall({', '.join(map(str, (number, *arguments)))})\n"
            # EPERM is the filter's answer; any other error means that the kernel looked at the call.
            "print('refused' if result == -1 and ctypes.get_errno() == 1 else 'BROKEN')"
        )
    return programs
