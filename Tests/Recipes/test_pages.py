"""What the pages show is what the tests run."""

import re
import unittest

from recipes import EXAMPLES, ROOT

PAGES = ROOT / "docs/recipes"
# Files that nobody has to show.
INCIDENTAL = {"go/go.mod"}


class Pages(unittest.TestCase):
    def test_every_listing_is_its_file(self):
        """Each block of code on a page, but for those that belong to no file, is the text of a file."""
        files = {path.read_text().rstrip(): path for path in EXAMPLES.rglob("*") if path.is_file()}
        shown = 0
        for page in PAGES.glob("*.md"):
            for introduction, code in re.findall(r"([^\n]*\n[^\n]*\n)\n```\w+\n(.*?)\n```", page.read_text(), re.S):
                if code not in files:
                    self.assertNotIn("Examples/recipes", introduction, f"{page.name} shows another text than the file's:\n{code}")
                shown += code in files
        self.assertGreater(shown, 20)

    def test_every_link_leads_to_a_file_and_every_file_is_linked(self):
        linked = set()
        for page in PAGES.glob("*.md"):
            for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
                if "://" in target:
                    continue
                self.assertTrue((PAGES / target).exists(), f"{page.name}: {target}")
                linked.add((PAGES / target).resolve())
        files = {path for path in EXAMPLES.rglob("*") if path.is_file() and str(path.relative_to(EXAMPLES)) not in INCIDENTAL}
        self.assertEqual({str(path) for path in files - linked}, set())

    def test_every_page_is_in_the_table(self):
        index = (PAGES / "README.md").read_text()
        for page in PAGES.glob("*.md"):
            if page.name != "README.md":
                self.assertIn(f"({page.name}#", index)


if __name__ == "__main__":
    unittest.main()
