"""What the pages show is what the tests run."""

import re
import unittest

from recipes import EXAMPLES, ROOT

PAGES = ROOT / "docs/recipes"
# Files that nobody has to show.
INCIDENTAL = {"go/go.mod"}
# First lines of listings that belong to no file.
EXCERPTS = {"loop.remove_reader(listener)"}


class Pages(unittest.TestCase):
    def test_every_listing_is_a_file(self):
        texts = {path.read_text().rstrip() for path in EXAMPLES.rglob("*") if path.is_file()}
        for page in PAGES.glob("*.md"):
            for code in re.findall(r"^```\w+\n(.*?)\n```$", page.read_text(), re.M | re.S):
                if code.splitlines()[0] not in EXCERPTS:
                    self.assertTrue(code in texts, f"{page.name} shows what is in no file:\n{code}")

    def test_every_link_leads_to_a_file_and_every_file_is_linked(self):
        linked = set()
        for page in PAGES.glob("*.md"):
            for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
                if "://" in target:
                    continue
                self.assertTrue((PAGES / target).exists(), f"{page.name}: {target}")
                linked.add((PAGES / target).resolve())
        files = {path for path in EXAMPLES.rglob("*") if path.is_file()}
        files -= {EXAMPLES / name for name in INCIDENTAL}
        self.assertEqual({str(path) for path in files - linked}, set())

    def test_every_page_is_in_the_table(self):
        index = (PAGES / "README.md").read_text()
        for page in PAGES.glob("*.md"):
            if page.name != "README.md":
                self.assertIn(f"({page.name}#", index)


if __name__ == "__main__":
    unittest.main()
