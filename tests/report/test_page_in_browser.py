"""The page in a real browser: what its script and its style do. The numbers are in test_page."""

from contextlib import contextmanager

import pytest

from ser.report import page as pages
from tests.report.support import make_report
from tests.serving import browser

pytestmark = pytest.mark.stage

PHONE, A4 = {"width": 390, "height": 844}, {"width": 703, "height": 1020}  # A4 less its margins
DASH = "\N{EN DASH}"
OPEN = "details => details.open"


@pytest.fixture(scope="module")
def chromium():
    with browser.started() as found:
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    file = folder / "index.html"
    file.write_text(pages.render(make_report(folder)), encoding="utf-8")
    return file.as_uri()


@contextmanager
def opened(chromium, address, **settings):
    """The page; it must neither complain nor ask elsewhere."""
    context = chromium.new_context(**settings)
    page, asked, complaints = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    assert complaints == []
    assert {url for url in asked if not url.startswith("data:")} == {address}


def column(table, number):
    return table.locator(f"tbody td:nth-child({number})").all_inner_texts()


def test_a_table_is_sorted_by_a_click_and_by_a_key(chromium, address):
    with opened(chromium, address) as page:
        table = page.locator("section table.sortable").first
        head = table.locator("th").nth(4)
        before = column(table, 5)
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        highest_first = sorted(before, key=float, reverse=True)
        assert column(table, 5) == highest_first
        head.locator("button").press("Enter")
        assert head.get_attribute("aria-sort") == "ascending"
        assert column(table, 5) == highest_first[::-1]
        table.locator("th").nth(1).locator("button").press("Space")
        assert head.get_attribute("aria-sort") is None
        assert column(table, 2) == ["cross_entropy", "focal"]


def test_a_value_that_is_not_known_comes_last(chromium, address):
    with opened(chromium, address) as page:
        table = page.locator("section table.sortable").first
        unknown = table.locator("tbody td:nth-child(8)").first
        unknown.evaluate("(cell, dash) => cell.textContent = dash", DASH)
        for _ in range(2):
            table.locator("th").nth(7).locator("button").click()
            assert column(table, 8)[-1] == DASH


def test_a_figure_opens_larger_and_closes_with_a_key(chromium, address):
    with opened(chromium, address) as page:
        small = page.locator("figure img").first.bounding_box()["width"]
        page.get_by_role("button", name="open larger").first.press("Enter")
        large = page.locator("dialog[open] img")
        assert large.bounding_box()["width"] > 2 * small
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_figures_follow_the_dark_mode_and_paper_stays_white(chromium, address, scheme):
    colour = "() => getComputedStyle(document.body).backgroundColor"
    with opened(chromium, address, color_scheme=scheme) as page:
        image = page.locator("figure img").first
        turned = image.evaluate("image => getComputedStyle(image).filter")
        assert (turned != "none") == (scheme == "dark")
        assert (page.evaluate(colour) == "rgb(255, 255, 255)") == (scheme == "light")
        page.emulate_media(media="print")
        assert image.evaluate("image => getComputedStyle(image).filter") == "none"
        assert page.evaluate(colour) == "rgb(255, 255, 255)"


def test_sections_are_folded_but_for_the_result_and_a_link_opens_its_own(chromium, address):
    with opened(chromium, address) as page:
        folded = page.locator("details.section")
        assert folded.count() == page.locator("section").count() - 1
        assert not any(one.evaluate(OPEN) for one in folded.all())
        page.locator("nav a", has_text="Calibration").click()
        page.wait_for_function("document.querySelector('#calibration').closest('details').open")
        assert sum(one.evaluate(OPEN) for one in folded.all()) == 1


def test_paper_shows_every_section_and_the_screen_is_folded_again_after_it(chromium, address):
    with opened(chromium, address) as page:
        folded = page.locator("details.section")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert all(one.evaluate(OPEN) for one in folded.all())
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert not any(one.evaluate(OPEN) for one in folded.all())


def test_heads_that_come_again_on_the_next_sheet_are_text_and_no_buttons(chromium, address):
    """Chromium prints the room of a button there, and not the button."""
    with opened(chromium, address) as page:
        head = page.locator("section table.sortable th button").first
        shown = "one => getComputedStyle(one).display"
        assert head.evaluate(shown) != "contents"
        page.emulate_media(media="print")
        assert head.evaluate(shown) == "contents"
        assert head.evaluate("one => one.closest('th').innerText").strip()


def test_without_a_script_everything_stands_open(chromium, address):
    with opened(chromium, address, java_script_enabled=False) as page:
        assert page.locator("details.section").count() == 0
        assert page.locator("#provenance").is_visible()


@pytest.mark.parametrize(("size", "media"), [(PHONE, "screen"), (A4, "print")])
def test_the_page_is_no_wider_than_a_phone_or_a_sheet(chromium, address, size, media):
    with opened(chromium, address, viewport=size) as page:
        page.emulate_media(media=media)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        # The answer is seen without moving the table; on paper nothing can be moved.
        fits = "one => one.scrollWidth <= one.clientWidth"
        for scroll in page.locator(".answer .scroll" if media == "screen" else ".scroll").all():
            assert scroll.evaluate(fits), scroll.inner_text()[:80]


@pytest.mark.parametrize(("width", "lines"), [(1280, 1), (PHONE["width"], 2)])
def test_a_name_stays_on_one_line_where_there_is_room_and_breaks_between_its_words(
    chromium, address, width, lines
):
    with opened(chromium, address, viewport={"width": width, "height": 800}) as page:
        name = page.locator(".answer td", has_text="lstm-cross_entropy")
        assert name.evaluate(
            """cell => {
                const range = document.createRange();
                range.selectNodeContents(cell);
                return new Set([...range.getClientRects()].map(box => box.top)).size;
            }"""
        ) == lines  # fmt: skip
        assert name.inner_text().replace("\n", "") == "lstm-cross_entropy"


def test_a_phone_shows_the_columns_that_matter_and_says_that_there_are_more(chromium, address):
    with opened(chromium, address, viewport=PHONE) as page:
        table = page.locator("section table.sortable").first
        heads = [head for head in table.locator("th").all() if head.is_visible()]
        assert [head.inner_text() for head in heads][:3] == ["model", "loss", "UAR %"]
        assert "told apart" in heads[-1].inner_text()
        hint = "one => getComputedStyle(one, '::after').content"
        assert "more columns" in table.evaluate_handle("one => one.parentElement").evaluate(hint)
        assert table.evaluate("one => one.scrollWidth <= one.parentElement.clientWidth")
