"""An upgrade of the master has no way back: whatever may fail has to fail before."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys

from harness import ROOST, WORKER, RoostTestCase

MASTER = pathlib.Path(ROOST).parent / "roost-master"


class Directory(RoostTestCase):
    """The directory in which the master was started is deleted, as after a deployment."""

    def setUp(self):
        super().setUp()
        self.release = self.folder / "release"
        self.release.mkdir()

    def test_an_upgrade_goes_on_and_so_do_reloads(self):
        service = self.start("--directory", str(self.folder), f"--environment-file=-{self.folder}/none", cwd=self.release).serving()
        pid = service.worker()
        self.release.rmdir()
        for _ in range(2):
            service.signal(signal.SIGUSR2)
            service.expect("upgraded the master")
        self.assertEqual(service.worker(), pid)
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.stop(), 0)

    def test_where_workers_start_in_it_a_reload_fails_and_says_so(self):
        service = self.start(f"--environment-file=-{self.folder}/none", cwd=self.release).serving()
        self.release.rmdir()
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.assertIn(f"cannot enter the directory {self.release}: No such file or directory", service.reload())
        self.release.mkdir()
        self.assertIn("succeeded", service.reload())

    def test_relative_paths_of_the_command_line_stay_those_of_the_start(self):
        (self.release / "variables").write_text("A=1\n")
        file = self.release / "web.toml"
        file.write_text(f'command = {json.dumps(WORKER)}\nready = "pipe"\nsettle = "0s"\n')
        service = self.start_bare("--config", "web.toml", "--environment-file", "variables", cwd=self.release).serving()
        self.assertIn("succeeded", service.reload())
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.assertIn("succeeded", service.reload())
        (self.release / "variables").unlink()
        self.assertIn(f"{self.release}/variables cannot be read", service.reload())

    def test_the_master_keeps_no_directory_busy(self):
        service = self.start(cwd=self.release).serving()
        self.assertEqual(os.readlink(f"/proc/{service.pid}/cwd"), "/")
        self.assertEqual(os.readlink(f"/proc/{service.worker()}/cwd"), str(self.release))


class Proof(RoostTestCase):
    """What the new binary would run into, it runs into in the proof."""

    def start_copy(self, *arguments, **options):
        """A service whose programs can be exchanged."""
        self.programs = self.folder / "bin"
        self.programs.mkdir()
        for program in ROOST, MASTER:
            shutil.copy(program, self.programs)
        return self.start(*arguments, program=str(self.programs / "roost"), **options).serving()

    def test_too_few_descriptors(self):
        service = self.start("--listen", "127.0.0.1:0").serving()
        used = len(os.listdir(f"/proc/{service.pid}/fd"))
        # What is open stays open, but nothing can be opened beside it.
        _, hard = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (used // 2, hard))
        service.signal(signal.SIGUSR2)
        service.expect(" error upgrade of the master refused: .*Too many open files")
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (hard, hard))
        self.assertIn("succeeded", service.reload())
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.assertEqual(service.stop(), 0)

    def test_too_little_memory(self):
        service = self.start("--listen", "127.0.0.1:0").serving()
        outcomes = {"refused": 0, "upgraded": 0}
        for limit, name in [(resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")]:
            former = resource.prlimit(service.pid, limit)
            # From what suffices down to what doesn't.
            for spare in [32 << 20, 16 << 20, 8 << 20, 4 << 20, *(1 << power for power in range(20, 14, -1))]:
                resource.prlimit(service.pid, limit, (self.used(service, name) + spare, former[1]))
                service.signal(signal.SIGUSR2)
                told = service.expect(" error upgrade of the master (refused): .*|(upgraded) the master")
                outcomes[told[1] or told[2]] += 1
            resource.prlimit(service.pid, limit, former)
            self.assertIn("refused", told[0])
        self.assertGreater(outcomes["upgraded"], 0)
        service.log.expect_count(r"refused: .*Cannot allocate memory .one of the master's limits is too low: RLIMIT_DATA", 1)
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.stop(), 0)

    def used(self, service, name):
        """Bytes of memory, by a line of /proc/PID/status."""
        status = pathlib.Path(f"/proc/{service.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s*(\d+) kB$", status, re.M)[1]) * 1024

    def test_a_binary_that_is_replaced_while_it_is_tried(self):
        service = self.start_copy()
        master = self.programs / "roost-master"
        # Proves, and is another by the time the answer is read.
        (self.programs / "real").write_bytes(master.read_bytes())
        (self.programs / "real").chmod(0o755)
        following = self.programs / "next"
        following.write_text(
            f"#!/bin/sh\ncp {self.programs}/real {self.programs}/new\nmv {self.programs}/new {master}\nexec {self.programs}/real\n"
        )
        following.chmod(0o755)
        following.rename(master)
        service.signal(signal.SIGUSR2)
        service.expect("upgrade of the master refused: .*roost-master was replaced by another while it was tried: try again")
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.assertEqual(service.stop(), 0)

    def test_a_rehearsal_that_fails_late_leaves_everything_as_it_is(self):
        compiler = shutil.which("cc") or shutil.which("clang")
        if not compiler:
            self.skipTest("needs a C compiler")
        source = self.folder / "late.c"
        source.write_text("""
#include <errno.h>
#include <stdarg.h>
int prctl(int option, ...) { (void)option; errno = EPERM; return -1; }
""")
        library = self.folder / "late.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        service = self.start_copy(
            "--listen",
            f"web=unix:{self.folder}/web.sock",
            "--metrics",
            f"unix:{self.folder}/metrics.sock",
            "--pid-file",
            f"{self.folder}/pid",
        )
        master = self.programs / "roost-master"
        master.rename(self.programs / "real")
        master.write_text(f"#!/bin/sh\nLD_PRELOAD={library} exec {self.programs}/real\n")
        master.chmod(0o755)
        service.recorded()
        before = self.seen(service)
        service.signal(signal.SIGUSR2)
        service.expect("refused: .*cannot become a subreaper")
        self.eventually(lambda: self.assertEqual(self.seen(service), before))
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.log.count("recreated"), 0)
        self.assertEqual(service.stop(), 0)

    def test_a_rehearsal_leaves_everything_as_it_is(self):
        # Proves that it can go on, and then says that it can't.
        service = self.start_copy("--listen", f"web=unix:{self.folder}/web.sock", "--pid-file", f"{self.folder}/pid")
        master = self.programs / "roost-master"
        (self.programs / "real").write_bytes(master.read_bytes())
        (self.programs / "real").chmod(0o755)
        following = self.programs / "next"
        following.write_text(
            f"#!{sys.executable}\n"
            + f"""
import os, sys
parent, answer, state = os.environ["ROOST_PROVE"].split(":")
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    os.environ["ROOST_PROVE"] = f"{{os.getppid()}}:{{write}}:{{state}}"
    for number in write, int(state):
        os.set_inheritable(number, True)
    os.execv("{self.programs}/real", ["real"])
os.close(write)
text = os.read(read, 65536)
os.waitpid(pid, 0)
os.write(int(answer), b'{{"problem": "rehearsed: %s"}}' % text.replace(b'"', b"'"))
"""
        )
        following.chmod(0o755)
        following.rename(master)
        service.recorded()
        before = self.seen(service)
        service.signal(signal.SIGUSR2)
        service.expect(r"refused: .*: rehearsed: \{'version':'[0-9.]+'\}")
        self.eventually(lambda: self.assertEqual(self.seen(service), before))
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.stop(), 0)

    def seen(self, service):
        files = {str(path): path.lstat().st_ino for path in self.folder.rglob("*") if "bin" not in path.parts}
        return files, len(os.listdir(f"/proc/{service.pid}/fd")), service.children()
