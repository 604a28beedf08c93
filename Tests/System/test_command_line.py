"""The command line reaches Roost wherever it runs: an order that is lost is never called a success."""

import os
import signal
import subprocess
import sys
import unittest

from harness import LOAD, ROOST, RoostTestCase

# As OpenTelemetry's injector does it: the environment is elsewhere when the program begins.
INJECTOR = """
#include <stdlib.h>
#include <stdio.h>
__attribute__((constructor)) static void inject(void) {
  for (int i = 0; i < 300; i++) {
    char name[16];
    snprintf(name, sizeof name, "INJECTED_%d", i);
    setenv(name, "value", 1);
  }
}
"""

# A process in which /proc is empty.
WITHOUT_PROC = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
MAY_MOUNT = os.geteuid() == 0


class CommandLine(RoostTestCase):
    """The tests of each surrounding are the same."""

    def setUp(self):
        super().setUp()
        self.file = self.folder / "web.toml"
        self.file.write_text('command = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nsettle = "0s"\n')

    def surroundings(self):
        """What comes before a command, and its environment."""
        source = self.folder / "injector.c"
        source.write_text(INJECTOR)
        library = self.folder / "injector.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
        yield "with a library that sets variables", [], {**os.environ, "LD_PRELOAD": str(library)}
        if MAY_MOUNT:
            yield "without /proc", WITHOUT_PROC, dict(os.environ)
            # In this sequence: mount(8) and sh are strangers to the library.
            yield "with both", [*WITHOUT_PROC, "env", f"LD_PRELOAD={library}"], dict(os.environ)

    def in_each(self, test):
        for name, launcher, environment in self.surroundings():
            with self.subTest(name):
                test(lambda *arguments: subprocess.run([*launcher, *arguments], env=environment, capture_output=True, text=True))

    def test_a_file_is_checked(self):
        def test(call):
            result = call(ROOST, "check", str(self.file))
            self.assertIn(f"{self.file}: valid; the service web: 1 worker of sh", result.stdout)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual(call(ROOST, "check", str(self.folder / "none.toml")).returncode, 78)

        self.in_each(test)

    def test_a_reload_without_a_service_is_no_success(self):
        def test(call):
            result = call(ROOST, "reload", "--control-directory", str(self.folder / "none"))
            self.assertRegex(result.stderr, "is not running")
            self.assertEqual((result.returncode, result.stdout), (3, ""))
            result = call(ROOST, "status", "--control-directory", str(self.folder / "none"))
            self.assertEqual(result.returncode, 3)

        self.in_each(test)

    def test_a_service_runs_and_reads_its_file_anew(self):
        for name, launcher, environment in self.surroundings():
            with self.subTest(name):
                self.file.write_text(self.file.read_text().split("workers")[0])
                service = self.start_bare("--config", str(self.file), launcher=launcher, env=environment).serving()
                call = lambda *words: subprocess.run(
                    [*launcher, ROOST, *words, "--control-directory", service.control], env=environment, capture_output=True, text=True
                )
                self.file.write_text(self.file.read_text() + "workers = 2\n")
                result = call("reload")
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                service.log.expect_count(r"generation 2\) is ready", 2)
                self.file.write_text(self.file.read_text().replace("workers = 2", "workers = 0"))
                result = call("reload")
                self.assertEqual(result.returncode, 1)
                self.assertIn(f"{self.file}:4:11: workers: 0 is out of range", result.stderr)
                result = call("status")
                self.assertRegex(result.stdout, r"generation 2\b")
                # It serves, and not what is configured.
                self.assertEqual(result.returncode, 1)
                self.assertEqual(service.stop(), 0)

    def test_the_master_upgrades_itself(self):
        for name, launcher, environment in self.surroundings():
            with self.subTest(name):
                service = self.start(launcher=launcher, env=environment).serving()
                service.signal(signal.SIGUSR2)
                service.expect("upgraded the master from version")
                self.assertIn("succeeded", service.reload())
                self.assertEqual(service.stop(), 0)

    def test_load_is_sent_where_it_was_asked_for(self):
        def test(call):
            result = call(LOAD, "--kept-alive", "0", "--new", "1", "--seconds", "0", "nowhere")
            self.assertEqual(result.returncode, 64)
            self.assertIn("'nowhere' is no address", result.stderr)

        self.in_each(test)


class Nothing(unittest.TestCase):
    def execute(self, program, *arguments):
        """With exactly these arguments, argument 0 included; none at all where the kernel lets them be none."""
        # Python refuses an empty list, execve(2) doesn't.
        script = (
            "import ctypes, sys\nlibc = ctypes.CDLL(None)\nwords = [w.encode() for w in sys.argv[2:]]\n"
            "list = (ctypes.c_char_p * (len(words) + 1))(*words, None)\n"
            "libc.execv(sys.argv[1].encode(), list)\n"
        )
        return subprocess.run([sys.executable, "-c", script, program, *arguments], capture_output=True, text=True)

    def test_no_arguments_at_all_are_an_error(self):
        for arguments in [[], [""], ["", "reload"], ["", "check", "/etc/none.toml"]]:
            for program in [ROOST, LOAD]:
                result = self.execute(program, *arguments)
                self.assertEqual((result.returncode, result.stdout), (64, ""), arguments)
                self.assertIn("without an argument 0", result.stderr)

    def test_no_subcommand_is_an_error_that_shows_what_there_is(self):
        result = subprocess.run([ROOST], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout), (64, ""))
        self.assertIn("SUBCOMMANDS:", result.stderr)
        result = subprocess.run([ROOST, "--help"], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("SUBCOMMANDS:", result.stdout)
