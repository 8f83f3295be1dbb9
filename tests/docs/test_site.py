"""The pages as a site: it builds without a warning, and asks no other host for anything."""

import re
import runpy
from html.parser import HTMLParser

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from tests.serving import browser

pytestmark = pytest.mark.stage

#: Tag -> the attribute by which it loads something; `a` only leads there.
LOADS = {
    "script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src",
    "audio": "src", "video": "src", "embed": "src", "object": "data",
}  # fmt: skip
ELSEWHERE = re.compile(r"(https?:)?//", re.IGNORECASE)


class Loads(HTMLParser):
    """Collects what a page loads, by tags and by styles."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.addresses.append(found.get(LOADS.get(tag)) or "")
        self.addresses += loaded_by_style(found.get("style") or "")

    def handle_data(self, data):
        if self.cdata_elem == "style":
            self.addresses += loaded_by_style(data)


def loaded_by_style(text):
    return [first or second for first, second in _STYLE.findall(text)]


_STYLE = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


def loaded_elsewhere(text):
    loads = Loads()
    loads.feed(text)
    return [address for address in loads.addresses if ELSEWHERE.match(address)]


def configured(project, place, **changes):
    return load_config(str(project / "mkdocs.yml"), site_dir=str(place), **changes)


@pytest.fixture(scope="module")
def site(project, tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        build(configured(project, place))  # strict: a warning is an error
    return place


def test_every_page_is_built_and_so_are_the_two_of_the_root(site, project):
    docs = project / "docs"
    expected = {
        page.relative_to(docs).with_suffix(".html").as_posix().replace("README", "index")
        for page in docs.rglob("*.md")
    }
    built = {page.relative_to(site).as_posix() for page in site.rglob("*.html")}
    assert built == expected | {"404.html", "contributing.html", "changes.html"}
    assert not list(site.rglob("site_hooks*"))


def test_no_page_and_no_style_loads_anything_from_another_host(site):
    pages = {page.name: loaded_elsewhere(page.read_text("utf-8")) for page in site.rglob("*.html")}
    assert len(pages) > 20
    assert {name: found for name, found in pages.items() if found} == {}
    for style in site.rglob("*.css"):
        found = loaded_by_style(style.read_text("utf-8"))
        assert [address for address in found if ELSEWHERE.match(address)] == [], style.name


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://unpkg.com/iframe-worker/shim"></script>',
        '<link rel="stylesheet" href="//fonts.example/a.css">',
        '<style>@import "https://fonts.example/a.css";</style>',
        '<p style="background: url(https://a.example/b.png)">',
    ],
)
def test_what_loads_from_another_host_is_found(text):
    assert len(loaded_elsewhere(text)) == 1
    assert loaded_elsewhere('<a href="https://example.org">there</a><img src="images/a.png">') == []


def test_a_link_that_leads_nowhere_stops_the_build(project, tmp_path):
    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "index.md").write_text("# Start\n\n[gone](gone.md) [gone](#nowhere)\n")
    changed = configured(
        project, tmp_path / "site", docs_dir=str(pages), nav=["index.md"], hooks=[]
    )
    with pytest.raises(Abort, match="2 warnings"):
        build(changed)


def test_links_of_a_page_of_the_root_hold_inside_docs(project):
    hooks = runpy.run_path(str(project / "docs" / "site_hooks.py"))
    text = "[a](docs/adding.md#a-preset) [b](CHANGELOG.md) [c](https://x.example/docs/d)"
    held = "[a](adding.md#a-preset) [b](changes.md) [c](https://x.example/docs/d)"
    assert hooks["as_inside_docs"](text) == held


@pytest.mark.system
def test_from_disk_the_search_finds_pages_and_nothing_is_asked_elsewhere(site, tmp_path):
    with browser.started(tmp_path / "no-microphone.wav") as chromium:
        page = chromium.new_page()
        page.set_default_timeout(20_000)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "decisions" / "index.html").as_uri())
        page.keyboard.press("f")
        page.keyboard.type("arousal")
        result = page.locator(".md-search-result__link", has_text="Glossary").first
        result.wait_for()
        assert "glossary.html" in result.get_attribute("href")
    assert [one for one in asked if not one.startswith((site.as_uri(), "blob:", "data:"))] == []
