"""The tests are the same wherever they are run: a few of them, in surroundings that aren't a person's shell."""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
# Those that depend on signals, permissions, terminals, environment and limits.
CHOSEN = [
    "test_stop.Stop.test_quit_stops_at_once",
    "test_output.OnATerminal.test_ctrl_c_ends_the_waiting_and_not_the_reload",
    "test_doctor.DoctorTests.test_an_interrupt_takes_the_worker_with_it",
    "test_signals.Signals.test_what_means_nothing_to_a_master_does_nothing",
    "test_signals.Terminal",
    "test_upstream.Upstream.test_ready_comes_when_the_first_generation_is_complete",
    "test_upstream.Adopted.test_sockets_are_adopted_by_their_names",
    "test_no_way_back.Directory",
]


def odd():
    """A script that was started in the background by a service, without a terminal, by a careful administrator."""
    os.setsid()
    for number in signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTSTP, signal.SIGTERM, signal.SIGUSR1:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2, signal.SIGCHLD])
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    os.close(0)


class Surroundings(unittest.TestCase):
    def test_the_tests_pass_in_odd_surroundings(self):
        environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "TERM")}
        environment.update(
            LC_ALL="tr_TR.UTF-8",
            LANG="C",
            NOTIFY_SOCKET="/run/nobody",
            WATCHDOG_USEC="1",
            LISTEN_FDS="3",
            LISTEN_PID="1",
            RUNTIME_DIRECTORY="/run/another",
            INVOCATION_ID="0",
            JOURNAL_STREAM="1:2",
            FDSTORE="9",
            ROOST_SLOT="7",
            ROOST_PREPARE="1:3",
            NO_COLOR="1",
        )
        result = subprocess.run(
            [sys.executable, "-B", "-m", "unittest", *CHOSEN],
            cwd=FOLDER,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=odd,
            timeout=200,
        )
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertRegex(result.stdout, r"Ran \d\d tests")


if __name__ == "__main__":
    unittest.main()
