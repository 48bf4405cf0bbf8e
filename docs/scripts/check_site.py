"""Every link of the built site leads somewhere, and nothing is loaded from elsewhere.

MkDocs checks the links of Markdown pages; this checks those that the theme, the API reference and
hand-written HTML make, on the files that a reader gets. Addresses of other hosts are not visited.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LOADED = {
    *[(tag, "src") for tag in ("audio", "embed", "iframe", "img", "script", "source", "video")],
    ("link", "href"),
    ("object", "data"),
}


class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors that it has."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.links, self.loads, self.anchors = path, set(), set(), {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Called for each tag; an anchor is an `id`, or the `name` of a link."""
        for key, value in attributes:
            if value is None:
                continue
            if key == "id" or (tag, key) == ("a", "name"):
                self.anchors.add(value)
            elif (tag, key) in LOADED and ("rel", "canonical") not in attributes:
                self.loads.add(value)
            elif (tag, key) == ("a", "href"):
                self.links.add(value)


def on_post_build(config: Any) -> None:
    """Called by MkDocs when the site is there; PluginError names every bad link."""
    # Imported here: tests run without MkDocs.
    from mkdocs.exceptions import PluginError

    if found := problems(Path(config.site_dir).resolve()):
        raise PluginError("\n".join(["the site has bad links:", *found]))


def problems(site: Path) -> list[str]:
    """What is wrong with the links of all pages of a site, a line for each."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    return [problem for page in pages.values() for problem in _problems(page, pages)]


def _problems(page: Page, pages: dict[Path, Page]) -> list[str]:
    found = [f"{page.path}: loads {url}" for url in page.loads if urlsplit(url).netloc]
    for url in sorted(page.links | page.loads):
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            continue
        target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
        target = target / "index.html" if target.is_dir() else target
        if not target.exists():
            found.append(f"{page.path}: no file for {url}")
        elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
            found.append(f"{page.path}: no anchor for {url}")
    return found
