"""Checks a rendered site of the documentation, and the links of the repository's Markdown files.

Fails if a public symbol is under no topic, if a link is broken, or if the index of the code leaves out a folder. Addresses
of other hosts are not visited.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

MODULES = ["cycles", "cyclestesting"]


def pages(site):
    """The rendered pages of the modules, by their paths."""
    data = site / "data"
    for module in MODULES:
        for file in [data / f"documentation/{module}.json", *(data / f"documentation/{module}").rglob("*.json")]:
            yield "/" + str(file.relative_to(data).with_suffix("")), json.loads(file.read_text())


def listed(page):
    """The symbols and articles in the groups that the authors wrote, without those that the compiler made by kind."""
    groups = [group for group in page.get("topicSections", []) if not group.get("generated", False)]
    return [name for group in groups for name in group["identifiers"]]


def broken_references(site, page):
    """The links of a page that lead nowhere. Protocols of other modules are no links."""
    protocols = {name for section in page.get("relationshipsSections", []) for name in section["identifiers"]}
    for name, reference in page.get("references", {}).items():
        kind, url = reference.get("type"), reference.get("url", "")
        if kind == "unresolvable":
            if name not in protocols:
                yield name
        elif kind in ("topic", "section") and url.startswith("/"):
            path = url.split("#")[0]
            if not (site / "data" / (path[1:] + ".json")).exists() or not (site / path[1:] / "index.html").exists():
                yield url
        elif kind == "link" and not re.match(r"https?://|mailto:|#", url):
            yield url


def broken_links(root, file):
    """The relative links of a Markdown file, and the paths that it names, that do not exist."""
    text = re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path = target.split("#")[0]
        if not re.match(r"https?://|mailto:", target) and path and not (file.parent / path).exists():
            yield target
    sources = root / "Sources/Cycles"
    folders = {str(folder.relative_to(sources)) for folder in sources.rglob("*") if folder.is_dir()}
    for target in re.findall(r"`([\w+.-]+/[\w+./-]*[\w+-])`", text):
        if target.split("/")[0] in ("Scripts", "Examples", "Tests", "Benchmarks"):
            if not (root / target).exists():
                yield target
        elif target.endswith(".swift") and os.path.dirname(target) in folders and not (sources / target).exists():
            yield target


def unlisted_folders(root):
    """The folders of code that the index of the code does not link to."""
    sources = root / "Sources"
    targets = set(re.findall(r"\]\(([^)]+)\)", (sources / "README.md").read_text()))
    folders = {str(file.parent.relative_to(sources)) for file in sources.rglob("*.swift")}
    return sorted(folders - targets)


def main():
    site = Path(sys.argv[1])
    root = Path(__file__).resolve().parents[2]
    rendered = dict(pages(site))
    identifiers = {page["identifier"]["url"]: page for page in rendered.values()}
    symbols = {
        name for name, page in identifiers.items()
        if page["kind"] == "symbol" and page["metadata"].get("symbolKind") != "module"
    }
    placed = {name for page in rendered.values() for name in listed(page)}
    loose = sorted(symbols - placed)
    broken, links = [], 0
    for path, page in rendered.items():
        links += len(page.get("references", {}))
        broken += [f"{link}, on {path}" for link in broken_references(site, page)]
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split()
    for name in files:
        if (root / name).exists():
            broken += [f"{link}, in {name}" for link in broken_links(root, root / name)]

    unlisted = unlisted_folders(root)
    for folder in unlisted:
        print(f"error: no line in Sources/README.md: {folder}", file=sys.stderr)
    for name in loose:
        print(f"error: no topic: {name}", file=sys.stderr)
    for link in broken:
        print(f"error: broken link: {link}", file=sys.stderr)
    print(f"{len(symbols)} public symbols, {len(loose)} without a topic; {links} links, {len(broken)} broken")
    print(f"The site is {site}")
    return 1 if loose or broken or unlisted or not symbols else 0


if __name__ == "__main__":
    sys.exit(main())
