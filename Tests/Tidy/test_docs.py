"""What the documentation points to is there."""

import functools
import posixpath
import re
import unittest
import urllib.parse

from sources import ROOT, TidyTestCase, sources, written_in

LINK = re.compile(r"\]\(([^()\s]+)\)")
# What is named as a path, with what it is called with.
NAMED = re.compile(r"`((?:Sources|Tests|Examples|Benchmarks|scripts|systemd|docs|\.ci)/[^`\s]*)[^`]*`")
# What stands for a name in what is named.
PLACEHOLDER = re.compile(r"FAMILY|NAME|-N\b|…")
# A page that code names, also as it is installed.
PAGE = re.compile(r"(?:/usr/share/doc/roost|(?<![\w./])docs)/([\w./-]+\.md)(?:#([\w-]+))?")
# It tells of what was, too.
CHANGELOG = "CHANGELOG.md"
INDEX = "docs/decisions/README.md"


@functools.cache
def pages():
    """By path from the root."""
    return {str(source): Page(source) for source in written_in("Markdown") if not source.is_in("Sources")}


class Page:
    def __init__(self, source):
        self.path = str(source)
        text = re.sub(r"^```.*?^```$", "", source.text, flags=re.M | re.S)
        self.text = text
        headings = re.findall(r"^#+ (.*)$", text, re.M)
        slugs = [slug(heading) for heading in headings]
        # One that is there already gets a number.
        self.anchors = {one if number == 0 else f"{one}-{number}" for at, one in enumerate(slugs) for number in [slugs[:at].count(one)]}

    @functools.cached_property
    def links(self):
        """Each as it stands, with the path from the root to which it leads, and the anchor."""
        found = []
        for link in LINK.findall(re.sub(r"`[^`\n]*`", "", self.text)):
            if not re.match(r"\w+:", link):
                path, _, anchor = urllib.parse.unquote(link).partition("#")
                target = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), path)) if path else self.path
                found.append((link, target, anchor))
        return found


def slug(heading):
    """As GitHub makes it."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


class Links(TidyTestCase):
    def test_each_leads_somewhere(self):
        self.assert_none(
            f"{page.path} links to {link}, which isn't there"
            for page in pages().values()
            for link, target, anchor in page.links
            if not (ROOT / target).exists() or anchor and (target not in pages() or anchor not in pages()[target].anchors)
        )

    def test_each_page_of_docs_can_be_reached_from_the_readme(self):
        found, left = set(), ["README.md"]
        while left:
            path = left.pop()
            path = f"{path}/README.md" if (ROOT / path).is_dir() else path
            if path in pages() and path not in found:
                found.add(path)
                left += [target for _, target, _ in pages()[path].links]
        self.assert_none(f"no way leads from README.md to {path}" for path in pages() if path.startswith("docs/") and path not in found)

    def test_each_file_that_a_page_names_exists(self):
        self.assert_none(
            f"{page.path} names {name}, which isn't there"
            for page in pages().values()
            if page.path != CHANGELOG
            for name in NAMED.findall(page.text)
            if not PLACEHOLDER.search(name) and not any(ROOT.glob(name.rstrip("/")))
        )

    def test_each_page_that_code_names_exists(self):
        self.assert_none(
            f"{source} names {match[0]}, which isn't there"
            for source in sources()
            if source.language != "Markdown"
            for match in PAGE.finditer(source.text)
            if f"docs/{match[1]}" not in pages() or match[2] and match[2] not in pages()[f"docs/{match[1]}"].anchors
        )


class Decisions(TidyTestCase):
    def test_the_table_has_each_record_and_nothing_else(self):
        rows = re.findall(r"^\| \[(\d+)\]\((\d+)-([\w-]+\.md)\) \|", pages()[INDEX].text, re.M)
        self.assertEqual([int(number) for number, _, _ in rows], [int(digits) for _, digits, _ in rows])
        records = sorted(path.name for path in (ROOT / INDEX).parent.glob("*.md") if path.name != "README.md")
        self.assertEqual([f"{digits}-{name}" for _, digits, name in rows], records)

    def test_each_begins_with_its_number(self):
        for record in (ROOT / INDEX).parent.glob("0*.md"):
            self.assertTrue(record.read_text().startswith(f"# {int(record.name[:4])}. "), record.name)


if __name__ == "__main__":
    unittest.main()
