"""A disk that is full, or a file at its limit, for a while: what can't be written is counted, and told afterwards."""

import fcntl
import os
import pathlib
import re
import resource
import subprocess
import termios
import unittest

from harness import PATIENCE, ROOST, RoostTestCase

# Writes what comes through a FIFO.
SCRIBE = 'echo >&$READY_FD; exec 3<>"$FIFO"; while read -r line <&3; do echo "$line"; echo "$line" >&2; echo >> "$WRITTEN"; done'


class Full(RoostTestCase):
    def setUp(self):
        super().setUp()
        self.fifo = self.folder / "fifo"
        os.mkfifo(self.fifo)
        self.file = self.folder / "log"
        self.control = str(self.folder / "c")

    def write(self, line):
        with open(self.fifo, "w") as fifo:
            fifo.write(line + "\n")

    def served(self, *options, **streams):
        process = subprocess.Popen(
            [ROOST, "run", "--control-directory", self.control, "--ready", "pipe", "--settle", "0s", *options, "--", "sh", "-c", SCRIBE],
            env=dict(os.environ, FIFO=str(self.fifo), WRITTEN=str(self.folder / "written")),
            **streams,
        )
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.terminate)
        self.eventually(lambda: self.assertEqual(self.roost("status"), 0))
        return process

    def roost(self, *arguments):
        return subprocess.run([ROOST, *arguments, "--control-directory", self.control], capture_output=True, timeout=PATIENCE).returncode

    def limited(self, process, size):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def passed_on(self, process):
        """Waits until the master has read what the worker has written to both of its streams, and has done with it."""
        worker = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        self.eventually(lambda: self.assertEqual((self.folder / "written").read_text().count("\n"), 2))
        for number in 1, 2:
            pipe = os.open(f"/proc/{worker}/fd/{number}", os.O_RDONLY | os.O_NONBLOCK)
            self.addCleanup(os.close, pipe)
            self.eventually(lambda: self.assertEqual(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), b"\0" * 4))
        # It may have read it only: this is answered afterwards.
        self.assertEqual(self.roost("status"), 0)

    def expect(self, pattern):
        self.eventually(lambda: self.assertRegex(self.file.read_text(), pattern))

    def test_the_log_goes_on_and_says_what_was_lost(self):
        with open(self.file, "w") as log:
            process = self.served("--direct-stderr", stderr=log, stdout=subprocess.DEVNULL)
        self.expect("generation 1 serves")
        # Only part of a line has room.
        size = self.file.stat().st_size
        self.limited(process, size + 10)
        self.assertEqual(self.roost("reload"), 0)
        self.assertEqual(self.file.stat().st_size, size + 10)
        self.limited(process, resource.RLIM_INFINITY)
        self.assertEqual(self.roost("reload"), 0)
        self.expect(r"\n\S+Z warning \d+ lines of this log were lost: File too large\n\S+Z info ")
        halves = [line for line in self.file.read_text().splitlines() if not re.match(r"\S+Z (info|warning) ", line)]
        self.assertEqual([len(half) for half in halves], [10])

    def test_what_processes_write_goes_on_too(self):
        output = self.folder / "output"
        with open(self.file, "w") as log, open(output, "w") as out:
            process = self.served("--log-prefix", stderr=log, stdout=out)
        self.write("one")
        self.expect(r"slot 0 .*\| one\n")
        self.eventually(lambda: self.assertRegex(output.read_text(), "one\n"))
        self.limited(process, min(self.file.stat().st_size, output.stat().st_size))
        self.write("two")
        self.passed_on(process)
        self.limited(process, resource.RLIM_INFINITY)
        self.write("three")
        self.expect(r"\| three\n")
        self.expect(r"warning \d+ bytes that processes wrote to stdout were lost: File too large\n")
        self.expect(r"warning \d+ bytes that processes wrote to stderr were lost: File too large\n")
        self.assertNotIn("two", self.file.read_text() + output.read_text())

    def test_nobody_reads_any_more(self):
        read_end, write_end = os.pipe()
        with open(self.file, "w") as log:
            self.served("--log-prefix", stderr=log, stdout=write_end)
        os.close(write_end)
        self.write("one")
        self.assertIn(b"one\n", os.read(read_end, 100))
        os.close(read_end)
        for _ in range(3):
            self.write("two")
        self.expect(r"warning what processes write to stdout is lost from now on: Broken pipe\n")
        self.eventually(lambda: self.assertEqual(self.file.read_text().count("| two\n"), 3))
        self.assertEqual(self.roost("stop"), 0)
        self.expect(r"warning \d+ bytes that processes wrote to stdout were lost: Broken pipe\n")
        self.assertEqual(self.file.read_text().count("from now on"), 1)

    def test_a_service_starts_and_reloads_on_a_full_disk(self):
        with open("/dev/full", "w") as full:
            process = self.served("--log-prefix", stderr=full, stdout=full)
        self.write("one")
        self.assertEqual(self.roost("reload"), 0)
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)


if __name__ == "__main__":
    unittest.main()
