"""Measures Roost from outside, beside the least that a master can do. Prints a table in Markdown."""

import argparse
import os
import pathlib
import platform
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/System"))

import surroundings  # noqa: E402

surroundings.restore()
WARM_UP = 20
PATIENCE = 30


class Reports:
    """What the workers tell about themselves."""

    def __init__(self, folder, name):
        self.path = str(folder / f"{name}.reports")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(PATIENCE)
        self.unread = []

    def next(self, kind):
        """The next report of a kind. Others that come before it are kept: two workers report at the same time."""
        while True:
            for index, (name, *numbers) in enumerate(self.unread):
                if name == kind:
                    del self.unread[index]
                    return [int(number) for number in numbers]
            self.unread.append(self.socket.recv(256).decode().split())


class Master:
    """A running master with one worker, and what was measured of it. Times in milliseconds."""

    def __init__(self, folder, name, command):
        self.name = name
        self.reports = Reports(folder, name)
        self.times = {"reload": [], "takeover": [], "crash": []}
        self.begin = time.monotonic_ns()
        self.process = subprocess.Popen(
            [*command, self.reports.path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.worker, executed, _ = self.reports.next("started")
        self.start = (executed - self.begin) / 1e6

    def round(self):
        """A reload, then a crash. The reload also makes the master forget the crash before."""
        begin = time.monotonic_ns()
        self.process.send_signal(signal.SIGHUP)
        self.worker, executed, ready = self.reports.next("started")
        _, told = self.reports.next("told")
        self.times["reload"].append((executed - begin) / 1e6)
        self.times["takeover"].append((told - ready) / 1e6)
        self.let_settle()
        begin = time.monotonic_ns()
        os.kill(self.worker, signal.SIGKILL)
        self.worker, executed, _ = self.reports.next("started")
        self.times["crash"].append((executed - begin) / 1e6)
        self.let_settle()

    def let_settle(self):
        """Lets the master finish what it does after the last message, so that it doesn't count for the next."""
        select.select([], [], [], 0.01)

    def come_to_rest(self):
        """Until nothing wakes it up: a second after the last reload it looks who has its listeners."""
        deadline = time.monotonic() + PATIENCE
        before = None
        while before != self.switches() and time.monotonic() < deadline:
            before = self.switches()
            select.select([], [], [], 1.5)

    def memory(self):
        lines = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()[1:]
        return {line.split(":")[0]: int(line.split()[1]) for line in lines}

    def switches(self):
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)

    def median(self, what):
        return statistics.median(self.times[what][WARM_UP:])

    def ninth_decile(self, what):
        return statistics.quantiles(self.times[what][WARM_UP:], n=10)[-1]

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


def starts(folder, name, command, count):
    """The median time from the command to the first worker's first instruction."""
    times = []
    for number in range(count):
        master = Master(folder, f"{name}-{number}", command)
        times.append(master.start)
        master.let_settle()
        master.stop()
    return statistics.median(times)


def build(folder):
    for program in ["worker", "floor"]:
        source = ROOT / "Benchmarks" / f"{program}.c"
        subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-o", folder / program, source], check=True)


def measure(folder, roost, rounds, idle):
    build(folder)
    worker = str(folder / "worker")
    # Not the usual place: a service of that name may run.
    place = ["--control-directory", str(folder / "control")]
    options = ["run", "--name", "bench", *place, "--listen", "127.0.0.1:0", "--settle", "0s", "--", worker]
    commands = {"floor": [str(folder / "floor"), worker], "roost": [roost, *options]}
    start = {name: starts(folder, name, command, 21) for name, command in commands.items()}
    masters = {}
    try:
        for name, command in commands.items():
            masters[name] = Master(folder, name, command)
            masters[name].let_settle()
        return run_rounds(masters, start, rounds, idle)
    finally:
        for master in masters.values():
            master.stop()


def run_rounds(masters, start, rounds, idle):
    # In turns, so that whatever else the machine does meets both.
    for _ in range(rounds + WARM_UP):
        for master in masters.values():
            master.round()
    # What was written a moment ago isn't on the disk yet, and would count as the master's own dirty memory.
    os.sync()
    for master in masters.values():
        master.come_to_rest()
    before = {name: master.switches() for name, master in masters.items()}
    select.select([], [], [], idle)
    wakeups = {name: (master.switches() - before[name]) / idle for name, master in masters.items()}
    memory = {name: master.memory() for name, master in masters.items()}
    return masters, start, wakeups, memory


def table(masters, start, wakeups, memory):
    floor, roost = masters["floor"], masters["roost"]
    rows = []
    for title, what in [
        ("SIGHUP to the new worker's first instruction", "reload"),
        ("`READY=1` of the new worker to SIGTERM in the old one", "takeover"),
        ("SIGKILL of a worker to its successor's first instruction", "crash"),
    ]:
        a, b = floor.median(what), roost.median(what)
        rows.append((f"{title}, ms", f"{a:.3f}", f"{b:.3f}", f"{b / a:.2f}", f"{roost.ninth_decile(what):.3f}"))
    ratio = start["roost"] / start["floor"]
    rows.append(
        ("command to the first worker's first instruction, ms", f"{start['floor']:.2f}", f"{start['roost']:.2f}", f"{ratio:.1f}", "")
    )
    for title, what in [("PSS", "Pss"), ("private dirty", "Private_Dirty"), ("RSS", "Rss")]:
        a, b = memory["floor"][what], memory["roost"][what]
        rows.append((f"{title} of the idle master, KiB", str(a), str(b), f"{b / a:.1f}", ""))
    rows.append(("wake-ups of the idle master, 1/s", f"{wakeups['floor']:.1f}", f"{wakeups['roost']:.1f}", "", ""))
    lines = ["| what | floor | roost | ratio | roost, 9 of 10 below |", "|---|---|---|---|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def machine():
    cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    return f"{cpu}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("roost", help="the binary to measure")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--idle", type=float, default=10, help="seconds without anything to do")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(pathlib.Path(folder), options.roost, options.rounds, options.idle)
    text = f"Medians of {options.rounds} rounds. {machine()}.\n\n{table(*results)}\n"
    print(text)
    if options.write:
        path = ROOT / "docs/benchmarks.md"
        head, rest = path.read_text().split("<!-- table -->\n")
        path.write_text(head + "<!-- table -->\n" + text + "<!-- end of table -->" + rest.split("<!-- end of table -->")[1])


if __name__ == "__main__":
    main()
