"""What a person's shell gives to what it starts. Tests run in it wherever they were started: by a script in the background, by
systemd, over a connection without a terminal, under another user's limits."""

import contextlib
import ctypes
import os
import pathlib
import resource
import signal
import tempfile
import unittest

# What systemd and other supervisors tell a process about itself, and what changes how a program finds its way.
OF_SUPERVISORS = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
    "FDSTORE",
    "MAINPID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "CACHE_DIRECTORY",
    "LOGS_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "MEMORY_PRESSURE_WATCH",
    "SERVER_STARTER_PORT",
    "SERVER_STARTER_GENERATION",
    "XDG_RUNTIME_DIR",
    "NO_COLOR",
    "COLUMNS",
    "LINES",
    "SWIFT_BACKTRACE",
    "READY_FD",
]
# What the tests themselves are told by.
OF_TESTS = ["ROOST", "ROOST_LOAD"]
# A path of a unix socket has 107 bytes, and tests put some below a folder of theirs.
LONGEST_FOLDER = 40
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
# As many as shells usually allow, and may be raised to.
OPEN_FILES = (1024, 4096)

libc = ctypes.CDLL(None, use_errno=True)
_hidden = []


def restore():
    """To be called before anything is started, by the main thread."""
    restore_signals()
    os.umask(0o022)
    restore_environment()
    restore_limits()
    # The descriptors of a standard stream that is closed would go to something else.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def restore_signals():
    """A shell has what it starts in the background ignore SIGINT and SIGQUIT, and nohup(1) SIGHUP. This process goes on to ignore
    them, but by a handler: what it starts gets the default then (execve(2))."""
    # SIGPIPE Python ignores by itself, and not in what it starts.
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def restore_environment():
    for name in list(os.environ):
        own = name.startswith(("ROOST_", "EINHORN_", "LC_")) and name not in OF_TESTS
        if own or name in OF_SUPERVISORS:
            del os.environ[name]
    os.environ.update(LANG="C.UTF-8", TERM="xterm", TZ="UTC")
    os.environ.setdefault("PATH", os.defpath)
    # Where one writes doesn't matter, but it has to be possible.
    if not os.access(os.environ.get("HOME", ""), os.W_OK):
        os.environ["HOME"] = "/tmp"
    if len(os.path.realpath(tempfile.gettempdir())) > LONGEST_FOLDER:
        os.environ["TMPDIR"] = tempfile.tempdir = "/tmp"


def restore_limits():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= OPEN_FILES[1]:
        return resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES[0], hard))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, OPEN_FILES)
    except ValueError:
        # Not every root may.
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES[0], hard), hard))


def needs_open_files(count):
    """A test in which a process has so many: it is skipped where the limit can't be raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= count
    return unittest.skipUnless(enough, f"needs {count} open files, and the hard limit is {hard}")


@contextlib.contextmanager
def nothing_left():
    """Whatever this process has started, and whatever that has, ends with the block: a test that hung or was interrupted cleans
    nothing up."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        end_children()


def end_children():
    """Kills all descendants, of which each becomes a child when its parent has gone. Returns those that were running, as the kernel
    names them."""
    ended = []
    while pids := children():
        for pid in pids:
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            # A zombie has ended by itself.
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                ended.append(f"{name} ({pid})")
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)
    return ended


def children():
    """The pids of this process's children, zombies too, whichever thread has started them."""
    # The file of a thread that has just ended is empty, or gone.
    found = []
    for file in pathlib.Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += [int(pid) for pid in file.read_text().split()]
    return found


def hide_services():
    """Services of this machine's root are out of reach from here on, and no test finds or operates one of the same name. Where this
    process isn't root, or may not do that, nothing changes."""
    place = pathlib.Path("/run/roost")
    if os.geteuid() != 0 or _hidden:
        return
    # Of this thread and those that it starts.
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return
    place.mkdir(mode=0o755, exist_ok=True)
    if libc.mount(b"tmpfs", bytes(place), b"tmpfs", 0, b"mode=755") == 0:
        _hidden.append(place)
