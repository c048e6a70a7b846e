#!/usr/bin/env python3
"""The changelog. In: the fragments of changelog.d, one a change, and CHANGELOG.md; out: see below.

    changelog.py lint               every fragment has a name and a text that a release can use
    changelog.py assemble VERSION   moves the fragments into CHANGELOG.md, as that version's section
    changelog.py notes TAG          prints the section of a tag's version, for the release's page
    changelog.py check TAG          fails unless tag, Cargo.toml's version and CHANGELOG.md agree
"""

import datetime
import os
import re
import sys
from pathlib import Path

ROOT = Path(os.environ.get("SMR_CHANGELOG_ROOT", Path(__file__).resolve().parents[2]))
CHANGELOG = ROOT / "CHANGELOG.md"
FRAGMENTS = ROOT / "changelog.d"
# In the order of a section. The first is for what people have to do before they upgrade.
KINDS = {
    "upgrade": "Before you upgrade",
    "security": "Security",
    "added": "Added",
    "changed": "Changed",
    "deprecated": "Deprecated",
    "removed": "Removed",
    "fixed": "Fixed",
}
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.(%s)\.md" % "|".join(KINDS))
VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
BEGIN = "<!-- releases begin here -->\n"


def fail(message):
    sys.exit(f"✗ {message}")


def fragments():
    found = []
    for path in sorted(FRAGMENTS.iterdir()):
        if path.name == "README.md":
            continue
        if not NAME.fullmatch(path.name):
            fail(f"changelog.d/{path.name}: call it <words-with-hyphens>.<kind>.md, with a kind of {', '.join(KINDS)}")
        text = path.read_text(encoding="utf-8").strip()
        if not text or text.startswith(("#", "-", "*")) or "\n\n" in text:
            fail(f"changelog.d/{path.name}: write one paragraph without a heading or a list")
        found.append((path, path.name.split(".")[1], text))
    return found


def assemble(version):
    if not VERSION.fullmatch(version):
        fail(f"{version}: a version has the form 1.2.3")
    found = fragments()
    if not found:
        fail("changelog.d has no fragments: there is nothing to release")
    before = CHANGELOG.read_text(encoding="utf-8")
    if f"\n## {version} " in before:
        fail(f"CHANGELOG.md has a section for {version} already")
    if BEGIN not in before:
        fail(f"CHANGELOG.md lacks the line {BEGIN.strip()}")
    date = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.datetime.fromtimestamp(int(date), datetime.timezone.utc) if date else datetime.datetime.now(datetime.timezone.utc)
    lines = [f"## {version} ({moment:%Y-%m-%d})\n"]
    for kind, title in KINDS.items():
        of_kind = [text for _, its, text in found if its == kind]
        if of_kind:
            lines.append(f"### {title}\n")
            lines.append("\n".join("- " + text.replace("\n", "\n  ") for text in of_kind) + "\n")
    section = "\n".join(lines)
    CHANGELOG.write_text(before.replace(BEGIN, f"{BEGIN}\n{section}", 1), encoding="utf-8")
    for path, _, _ in found:
        path.unlink()


def section_of(tag):
    version = tag.removeprefix("v")
    sections = re.split(r"^(?=## )", CHANGELOG.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for section in sections:
        if section.startswith(f"## {version} "):
            return section.split("\n", 1)[1].strip() + "\n"
    fail(f"CHANGELOG.md has no section for {version}: run 'hack/release/changelog.py assemble {version}' and commit")


def check(tag):
    cargo = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    version = re.search(r'^\[workspace\.package\]\nversion = "(.*)"', cargo, re.MULTILINE)
    if not version or tag != f"v{version[1]}":
        fail(f"the tag is {tag}, and Cargo.toml has version {version and version[1]}")
    section_of(tag)
    left = [path.name for path, _, _ in fragments()]
    if left:
        fail(f"changelog.d still has {', '.join(left)}: they are in no release")


def main():
    match sys.argv[1:]:
        case ["lint"]:
            fragments()
        case ["assemble", version]:
            assemble(version)
        case ["notes", tag]:
            print(section_of(tag), end="")
        case ["check", tag]:
            check(tag)
        case _:
            print(__doc__, file=sys.stderr)
            sys.exit(64)


main()
