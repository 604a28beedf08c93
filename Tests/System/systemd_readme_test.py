"""The README's quick start, as it stands there, under a real systemd. Runs inside Tests/with-systemd."""

import os
import pathlib
import re
import subprocess
import unittest

from harness import PATIENCE, ROOST, ROOT

# scripts/test has built all of it.
BUILDS = ("scripts/build", "swift build")


def quick_start():
    """The commands, each with its comment."""
    text = (ROOT / "README.md").read_text()
    block = re.search(r"^## Quick start\n.*?^```sh\n(.*?)^```$", text, re.M | re.S)[1]
    # A document that is written to a command belongs to it.
    for command in re.findall(r"^\S[^\n]*<<'END'\n.*?^END$|^\S[^\n]*$", block, re.M | re.S):
        yield re.match(r"([^#]*?)\s*(?:# (.*))?$", command, re.S).groups()


class QuickStart(unittest.TestCase):
    def setUp(self):
        """Installs into layers over the machine's folders, which go with systemd. It sees them too."""
        for folder in "/usr/bin", "/usr/libexec", "/usr/share", "/usr/lib/systemd/catalog", "/srv":
            layer = pathlib.Path("/run/readme") / folder.strip("/").replace("/", "-")
            (layer / "up").mkdir(parents=True)
            (layer / "work").mkdir()
            options = f"lowerdir={folder},upperdir={layer}/up,workdir={layer}/work"
            subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", folder], check=True)

    def test_it_does_what_it_says(self):
        commands = [(command, says) for command, says in quick_start() if not command.startswith(BUILDS)]
        self.assertGreater(len(commands), 10)
        for command, says in commands:
            with self.subTest(command):
                self.run_command(command, says or "")

    def run_command(self, command, says):
        """A comment with an ellipsis is what is printed."""
        result = subprocess.run(
            ["bash", "-euc", f'sudo() {{ "$@"; }}\n{command}'],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
            env={**os.environ, "BUILD": str(pathlib.Path(ROOST).parent)},
            capture_output=True,
            text=True,
        )
        printed = result.stdout + result.stderr
        if "…" in says:
            self.assertRegex(printed, ".*".join(re.escape(part.strip()) for part in says.split("…")))
        self.assertEqual(result.returncode != 0, "failed" in says, printed)


if __name__ == "__main__":
    unittest.main()
