"""`roost doctor --unit` under a real systemd. Runs inside Tests/with-systemd."""

import json
import shutil
import subprocess
import unittest

from harness import PATIENCE
from systemd_test import FILE, NAME, ROOST_BIN, UNITS, VERSION, SystemdTestCase, systemctl

PROPERTIES = [
    "ExecStart",
    "Type",
    "NotifyAccess",
    "KillMode",
    "TimeoutStopSec",
    "OOMPolicy",
    "ExecReload",
    "FileDescriptorStoreMax",
    "RuntimeDirectory",
    "Conflicts",
    "LimitNOFILE",
    "SystemCallFilter",
    "SystemCallErrorNumber",
    "StateDirectory",
    "LoadCredential",
    "Delegate",
    "TriggeredBy",
    "StartLimitIntervalSec",
    "RestartSteps",
    "FileDescriptorStorePreserve",
]


class Units(SystemdTestCase):
    def doctor(self, *arguments):
        return subprocess.run([ROOST_BIN, "doctor", *arguments], capture_output=True, text=True, timeout=PATIENCE)

    def findings(self, *arguments, unit=NAME):
        result = self.doctor("--json", "--unit", unit, *arguments)
        self.assertEqual(result.stderr, "")
        findings = json.loads(result.stdout)["findings"]
        failed = any(finding["outcome"] == "failure" for finding in findings)
        self.assertEqual(result.returncode, 1 if failed else 0, result)
        return findings

    def assert_found(self, expected, *changes, **options):
        """Exactly this property isn't as it should be, with these changes to the shipped unit."""
        self.install(**options)
        if changes:
            self.change_unit(*changes)
        findings = [finding for finding in self.findings() if finding["outcome"] != "ok"]
        self.assertEqual([(finding["check"], finding["outcome"]) for finding in findings], [expected[:2]], findings)
        self.assertRegex(findings[0]["text"], expected[2])
        self.assertTrue(findings[0]["mend"])

    def test_the_shipped_unit_installed_and_running(self):
        self.install()
        for _ in range(2):
            findings = self.findings()
            self.assertEqual([finding["check"] for finding in findings], PROPERTIES)
            self.assertEqual({finding["outcome"] for finding in findings}, {"ok"}, findings)
            systemctl("start", NAME)
        result = self.doctor("--unit", NAME)
        self.assertTrue(result.stdout.startswith("roost@web.service, the service web\n✓ ExecStart "), result)
        self.assertTrue(result.stdout.endswith("\nall is well\n"), result)

    def make_unit(self):
        text = subprocess.run([ROOST_BIN, "unit", FILE], check=True, capture_output=True, text=True).stdout
        (UNITS / "web.service").write_text(text)
        systemctl("daemon-reload")

    def test_a_unit_that_roost_has_made(self):
        self.configure(drain_timeout='"5m"')
        self.make_unit()
        self.assertEqual({finding["outcome"] for finding in self.findings(unit="web.service")}, {"ok"})

    def test_type(self):
        self.assert_found(("Type", "failure", "^exec: "), ("Type=notify\n", "Type=exec\n"))

    def test_notify_access(self):
        self.assert_found(("NotifyAccess", "warning", "^all: "), ("NotifyAccess=main", "NotifyAccess=all"))

    def test_kill_mode(self):
        self.assert_found(("KillMode", "failure", "^process: "), ("KillMode=mixed\n", "KillMode=process\n"))

    def test_kill_mode_that_sends_workers_another_signal_than_theirs(self):
        self.assert_found(
            ("KillMode", "failure", "SIGTERM to workers whose stop signal is SIGQUIT"),
            ("KillMode=mixed\n", "KillMode=control-group\n"),
            stop_signal='"QUIT"',
        )

    def test_oom_policy(self):
        self.assert_found(("OOMPolicy", "warning", "^stop: "), ("OOMPolicy=continue", "OOMPolicy=stop"))

    def test_delegation(self):
        self.assert_found(("Delegate", "warning", "^no: workers get no cgroups"), ("Delegate=pids\n", ""))
        self.assert_found(
            ("Delegate", "warning", "^yes, with ProtectControlGroups=yes: "),
            ("Delegate=pids\n", "Delegate=pids\nProtectControlGroups=yes\n"),
        )

    def test_descriptor_store(self):
        self.assert_found(
            ("FileDescriptorStoreMax", "warning", "^1, for 2 of "),
            ("FileDescriptorStoreMax=512", "FileDescriptorStoreMax=1"),
            listen='["8080", "8081"]',
        )

    def test_runtime_directory(self):
        self.assert_found(
            ("RuntimeDirectory", "warning", "^roost/web, RuntimeDirectoryPreserve=restart: "),
            ("RuntimeDirectoryPreserve=yes", "RuntimeDirectoryPreserve=restart"),
        )

    def test_open_files(self):
        self.assert_found(("LimitNOFILE", "warning", "^1024: "), ("LimitNOFILE=65536:524288", "LimitNOFILE=1024:524288"))
        self.configure(limit="{ open-files = 4096 }")
        self.assertEqual([finding for finding in self.findings() if finding["outcome"] != "ok"], [])

    def test_system_calls(self):
        self.assert_found(("SystemCallFilter", "warning", "without @pkey"), ("@system-service @pkey", "@system-service"))

    def test_system_calls_that_kill(self):
        self.assert_found(("SystemCallErrorNumber", "warning", "with SIGSYS"), ("SystemCallErrorNumber=EPERM\n", ""))

    def test_system_calls_that_are_not_filtered_or_by_what_is_forbidden(self):
        for filter in "", "SystemCallFilter=~@mount\nSystemCallErrorNumber=EPERM":
            with self.subTest(filter):
                self.install()
                text = (UNITS / "roost@.service").read_text()
                kept = [line for line in text.splitlines() if not line.startswith("SystemCall")]
                (UNITS / "roost@.service").write_text("\n".join(kept).replace("[Install]", f"{filter}\n[Install]") + "\n")
                systemctl("daemon-reload")
                self.assertEqual({finding["outcome"] for finding in self.findings()}, {"ok"}, self.findings())

    def test_no_state_directory(self):
        self.assert_found(
            ("StateDirectory", "warning", "^none: what has served is recorded in /run/roost/web, and forgotten when the machine boots"),
            ("StateDirectory=roost/%i\n", ""),
        )

    def test_state_directory_of_another_user(self):
        lines = "OOMPolicy=continue\nStateDirectory=web\n"
        self.assert_found(
            ("StateDirectory", "warning", "^/var/lib/web is root's, and workers run as www-data$"),
            ("OOMPolicy=continue\n", lines),
            user='"www-data"',
        )
        self.change_unit((lines, lines + "ExecStartPre=+install -d -o www-data /var/lib/web/data\n"))
        self.assertEqual([finding for finding in self.findings() if finding["outcome"] != "ok"], [])
        # Of the unit's own user, or of root.
        for options, change in ({}, ("StateDirectory=", "User=www-data\nStateDirectory=")), ({}, ("User=www-data\n", "")):
            self.configure(**options)
            self.change_unit(change)
            self.assertEqual([finding for finding in self.findings() if finding["outcome"] != "ok"], [])

    def test_credentials_of_another_user(self):
        lines = "OOMPolicy=continue\nLoadCredential=key:/etc/hostname\n"
        self.assert_found(("LoadCredential", "warning", "workers run as www-data$"), ("OOMPolicy=continue\n", lines), user='"www-data"')
        self.configure()
        self.assertEqual([finding for finding in self.findings() if finding["outcome"] != "ok"], [])
        self.configure(user='"www-data"')
        self.change_unit((lines, lines + "LoadCredential=\n"))
        self.assertEqual([finding for finding in self.findings() if finding["outcome"] != "ok"], [])

    def test_start_limit(self):
        self.assert_found(("StartLimitIntervalSec", "warning", "^10s: after 5 starts within that time"), ("StartLimitIntervalSec=0\n", ""))

    def test_what_only_newer_versions_know(self):
        self.install()
        shutil.rmtree(UNITS / "roost@.service.d", ignore_errors=True)
        systemctl("daemon-reload")
        wanted = [check for check, since in [("RestartSteps", 254), ("FileDescriptorStorePreserve", 262)] if VERSION >= since]
        found = [finding for finding in self.findings() if finding["outcome"] != "ok"]
        self.assertEqual([(finding["check"], finding["outcome"]) for finding in found], [(check, "warning") for check in wanted])

    def test_another_unit_of_the_same_service(self):
        self.install()
        self.make_unit()
        # One that is only there may be started some day, and does no harm.
        self.assertEqual([finding for finding in self.findings() if finding["outcome"] != "ok"], [])
        systemctl("start", "web.service")
        (found,) = [finding for finding in self.findings() if finding["outcome"] != "ok"]
        self.assertEqual((found["check"], found["outcome"]), ("Conflicts", "warning"))
        self.assertIn("web.service is there for the same service, and is active", found["text"])
        self.assertEqual(found["mend"], "systemctl disable --now web.service")
        systemctl("stop", "web.service")
        systemctl("enable", "web.service")
        (found,) = [finding for finding in self.findings() if finding["outcome"] != "ok"]
        self.assertIn("web.service is there for the same service, and is enabled", found["text"])
        systemctl("disable", "web.service")

    def test_a_unit_that_stops_the_other_one(self):
        self.install()
        self.make_unit()
        self.change_unit(("[Unit]\n", "[Unit]\nConflicts=web.service\n"))
        (found,) = [finding for finding in self.findings() if finding["outcome"] != "ok"]
        self.assertEqual((found["check"], found["outcome"]), ("Conflicts", "warning"))
        self.assertRegex(found["text"], "^web.service: a start of this unit stops that one")

    def test_exec_reload_that_does_not_wait(self):
        line = f"ExecReload={ROOST_BIN} reload --quiet %i"
        self.assert_found(("ExecReload", "warning", "succeeds at once"), (line, "ExecReload=/bin/kill -HUP $MAINPID"))

    def test_exec_reload_of_another_service(self):
        line = f"ExecReload={ROOST_BIN} reload --quiet %i"
        self.assert_found(("ExecReload", "failure", "the service is web"), (line, f"ExecReload={ROOST_BIN} reload other"))

    def test_no_exec_reload(self):
        line = f"ExecReload={ROOST_BIN} reload --quiet %i\n"
        self.assert_found(("ExecReload", "failure", "^none"), (line, ""))

    def test_a_drain_timeout_for_which_the_master_asks_for_more_time(self):
        self.install(drain_timeout='"10m"')
        finding = next(finding for finding in self.findings() if finding["check"] == "TimeoutStopSec")
        self.assertEqual(finding["outcome"], "ok")
        self.assertIn("1min 30s, less than the drain timeout of 10m", finding["text"])

    def test_a_drain_timeout_that_systemd_cuts_short(self):
        self.install(drain_timeout='"10m"')
        # A watchdog, or an fd store, would make it NotifyAccess=main again.
        self.change_unit(
            ("Type=notify\n", "Type=exec\n"),
            ("NotifyAccess=main", "NotifyAccess=none"),
            ("WatchdogSec=3min\n", ""),
            ("FileDescriptorStoreMax=512\n", ""),
        )
        found = {finding["check"]: finding["outcome"] for finding in self.findings() if finding["outcome"] != "ok"}
        self.assertEqual(
            found, {"Type": "failure", "NotifyAccess": "failure", "TimeoutStopSec": "failure", "FileDescriptorStoreMax": "warning"}
        )

    def test_a_unit_that_was_changed_and_not_read_again(self):
        self.install()
        path = UNITS / "roost@.service"
        systemctl("start", NAME)
        path.write_text(path.read_text() + "# changed\n")
        found = [finding for finding in self.findings() if finding["outcome"] != "ok"]
        self.assertEqual([(finding["check"], finding["mend"]) for finding in found], [("ExecStart", "systemctl daemon-reload")])

    def test_a_unit_without_roost(self):
        (UNITS / "web.service").write_text("[Service]\nExecStart=/bin/true\n")
        systemctl("daemon-reload")
        findings = self.findings(unit="web.service")
        self.assertEqual([(finding["check"], finding["outcome"]) for finding in findings], [("ExecStart", "failure")])

    def test_a_unit_that_is_not_there(self):
        result = self.doctor("--unit", "nothing.service")
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        self.assertIn("no unit nothing.service", result.stderr)


if __name__ == "__main__":
    unittest.main()
