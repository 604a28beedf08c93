"""The permissions of what the master makes: those that the docs promise, whatever the umask of whoever has started it."""

import os
import unittest

from harness import RoostTestCase

# Asked for, or promised.
ALWAYS = {
    "control-0": 0o755,
    "control-0/lock": 0o600,
    "control-0/control": 0o600,
    "control-0/einhorn.sock": 0o666,
    "pid": 0o644,
    "asked": 0o666,
}


def modes(folder, names):
    return {name: os.stat(folder / name).st_mode & 0o7777 for name in names}


class Modes(RoostTestCase):
    def served(self, mask):
        service = self.start(
            "--pid-file",
            f"{self.folder}/pid",
            "--metrics",
            f"unix:{self.folder}/metrics",
            "--compatibility",
            "einhorn",
            "--listen",
            f"a=unix:{self.folder}/own",
            "--listen",
            f"b=unix:{self.folder}/asked,mode=0666",
            command=["sh", "-c", f"umask > {self.folder}/mask; echo >&$READY_FD; exec tail -f /dev/null"],
            umask=mask,
        )
        return service.serving()

    def test_what_is_made_and_made_anew(self):
        # A socket that isn't to be used by everybody has what the umask leaves, and never that everybody can connect.
        for mask, own in [(0o000, 0o775), (0o022, 0o755), (0o077, 0o700), (0o777, 0o000)]:
            with self.subTest(oct(mask)):
                expected = ALWAYS | {"own": own, "metrics": own}
                expected = {name.replace("control-0", f"control-{len(self.services)}"): mode for name, mode in expected.items()}
                service = self.served(mask)
                self.assertEqual(modes(self.folder, expected), expected)
                self.assertEqual(int((self.folder / "mask").read_text(), 8), mask, "a worker has that of the shell")
                for name in expected:
                    if (self.folder / name).is_file() or (self.folder / name).is_socket():
                        (self.folder / name).unlink()
                self.assertIn("succeeded", service.reload())
                self.assertEqual(modes(self.folder, expected), expected)
                self.assertEqual(service.stop(), 0)
                (self.folder / "mask").unlink()


if __name__ == "__main__":
    unittest.main()
