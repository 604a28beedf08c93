"""Deploys good and bad releases of the demo worker under load, and tells what became of the requests."""

import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from harness import DEMO_WORKER, Load, Service, adopt_orphans, processes_left

RELOADS = 8
WORKERS = 2


def say(text=""):
    print(text, flush=True)


class Demo:
    def __init__(self, folder):
        self.folder = folder
        self.link = folder / "current"
        self.deploy("release-1", f'#!/bin/sh\nexec {DEMO_WORKER} "$@"\n')
        self.service = Service(
            [
                "--name",
                "demo",
                "--control-directory",
                str(folder / "control"),
                "--listen",
                "http=127.0.0.1:0",
                "--workers",
                str(WORKERS),
                "--settle",
                "200ms",
                "--ready-timeout",
                "2s",
                "--",
                str(self.link),
            ]
        )

    def deploy(self, name, script):
        """Puts a release in place as a deployment does: by moving a symbolic link."""
        release = self.folder / name
        release.write_text(script)
        release.chmod(0o755)
        following = self.folder / "next"
        following.symlink_to(release)
        following.rename(self.link)

    def pids(self):
        return " ".join(str(self.service.worker(slot)) for slot in range(WORKERS))

    def reload(self):
        """The verdict, and how long the reload took in milliseconds."""
        self.service.signal(signal.SIGHUP)
        match = self.service.expect(r" reload to generation (\d+) (succeeded|failed) after (\d+) ms(.*)")
        return int(match[1]), match[2], int(match[3]), match[4].removeprefix(": ")

    def run(self):
        address = self.service.address()
        self.service.serving()
        say(f"roost run --listen {address} --workers {WORKERS} -- {self.link.name}")
        say(f"master {self.service.pid}, generation 1: workers {self.pids()}")
        command = pathlib.Path(f"/proc/{self.service.pid}/cmdline").read_bytes()
        load = Load(address, kept_alive=8, new=8)
        say("load: 8 clients on kept-alive connections, 8 with a new connection for each request")
        say()
        times = [self.good(number) for number in range(2, RELOADS // 2 + 2)]
        self.bad("a release that exits", "#!/bin/sh\nexit 3\n")
        self.bad("a release that hangs", "#!/bin/sh\nexec tail -f /dev/null\n")
        self.bad("a release that can't be executed", "#!/no/such/interpreter\n")
        times += [self.good(number) for number in range(RELOADS // 2 + 2, RELOADS + 2)]
        say()
        say(subprocess.run(["pstree", "-A", "-p", str(self.service.pid)], capture_output=True, text=True).stdout.strip())
        unchanged = command == pathlib.Path(f"/proc/{self.service.pid}/cmdline").read_bytes()
        return self.tell(load.finish(), times, unchanged)

    def good(self, number):
        self.deploy(f"release-{number}", f'#!/bin/sh\nexec {DEMO_WORKER} "$@"\n')
        generation, verdict, milliseconds, reason = self.reload()
        say(f"release-{number}: reload to generation {generation} {verdict} after {milliseconds} ms, workers {self.pids()}")
        if verdict != "succeeded":
            raise SystemExit(f"a good release was refused\n{self.service.log}")
        return milliseconds

    def bad(self, what, script):
        self.deploy("bad", script)
        generation, verdict, milliseconds, reason = self.reload()
        say(f"{what}: reload {verdict} after {milliseconds} ms\n    {reason}")
        if verdict != "failed":
            raise SystemExit("a bad release was accepted")

    def tell(self, result, times, unchanged):
        status = self.service.stop()
        say()
        say(f"requests      {result['requests']:>8}   ({result['keptAlive']} kept-alive, {result['new']} on new connections)")
        say(f"failures      {result['failures']:>8}   {result['failureReasons'] or ''}")
        say(f"slowest       {result['slowestMilliseconds']:>8} ms")
        say(f"reloads       {len(times):>8}   median {sorted(times)[len(times) // 2]} ms, 200 ms of it settle time")
        answered = ", ".join(
            f"{generation}: {count}" for generation, count in sorted(result["generations"].items(), key=lambda item: int(item[0]))
        )
        say(f"answered by generation   {answered}")
        say(f"master {self.service.pid} was the same process with the same arguments all the time: {'yes' if unchanged else 'NO'}")
        left = processes_left()
        say(f"stopped with status {status}, processes left behind: {left or 'none'}")
        return result["failures"] == 0 and status == 0 and unchanged and not left


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-demo-"))
    demo = None
    adopt_orphans()
    try:
        demo = Demo(folder)
        return 0 if demo.run() else 1
    finally:
        if demo and demo.service.process.poll() is None:
            demo.service.signal(signal.SIGQUIT)
            demo.service.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
