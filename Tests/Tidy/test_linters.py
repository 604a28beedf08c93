"""Every program in Python is as ruff wants it, every one in shell as shellcheck does."""

import shutil
import subprocess

from sources import ROOT, TidyTestCase, written_in

RUFF = ROOT / ".build/python/bin/ruff"
SETUP = "isn't installed: scripts/setup tests does that"


class Linters(TidyTestCase):
    def run_on(self, language, *command):
        self.assertIsNotNone(shutil.which(command[0]), f"{command[0]} {SETUP}")
        files = [str(source) for source in written_in(language)]
        self.assertGreater(len(files), 10, f"files of {language} are overlooked")
        result = subprocess.run([*command, *files], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(result.returncode, 0, "\n" + result.stdout)

    def test_python_has_no_findings(self):
        self.run_on("Python", RUFF, "check", "--quiet", "--output-format", "concise")

    def test_python_is_formatted(self):
        self.run_on("Python", RUFF, "format", "--check", "--quiet")

    def test_shell_has_no_findings(self):
        self.run_on("shell", "shellcheck", "--format", "gcc")
