"""The page in headless Chromium, opened from disk with the network off."""

from __future__ import annotations

import re
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from convergent_learning.tables.printed import in_print
from convergent_learning.tables.storage import read_table

pytestmark = pytest.mark.slow

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PLOTS = {"depth-plot": ["depth"], "ood-plot": ["ood-depth", "ood-accuracy"]}
DRAWN = "id => document.getElementById(id).data.map(curve => [curve.name, curve.y])"
PATHS = "id => [...document.querySelectorAll(`#${id} .trace path`)].map(p => p.getAttribute('d'))"


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("no chromium on this machine: install Debian's package `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, drawn_page):
    """Opens the page, all plots drawn, in a window; afterwards, that nothing went wrong."""
    contexts, trouble = [], []

    def visit(width=1280, scheme="light", **options):
        context = chromium.new_context(
            offline=True, viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: trouble.append(said.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: _is_inside(request.url) or trouble.append(request.url))
        page.goto(drawn_page.as_uri())
        if options.get("java_script_enabled", True):
            _draw(page)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert trouble == []


def _is_inside(url):
    return url.startswith(("file:", "data:", "blob:"))


def _draw(page):
    for plot, panels in PLOTS.items():
        page.locator(f"#{plot}").scroll_into_view_if_needed()
        for panel in panels:
            page.wait_for_selector(f"#{panel} .trace")


def test_all_figures_are_decoded(visit):
    page = visit()
    widths = page.evaluate(
        "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
    )
    assert len(widths) == 6
    assert min(widths) > 2000


@pytest.mark.parametrize(
    ("panel", "choose"),
    [
        ("depth", lambda form: form.get_by_label("VGG-11", exact=True).check()),
        ("depth", lambda form: form.get_by_label("Metric").select_option("linear")),
        ("depth", lambda form: form.get_by_label("Metric").select_option("all")),
        ("ood-depth", lambda form: form.get_by_label("VGG-11", exact=True).check()),
        ("ood-depth", lambda form: form.get_by_label("Linear").check()),
        ("ood-accuracy", lambda form: form.get_by_label("Soft matching").check()),
        ("ood-accuracy", lambda form: form.get_by_label("first third of layers").check()),
    ],
)
def test_the_switches_change_the_plot(visit, panel, choose):
    page = visit()
    before = page.evaluate(DRAWN, panel), page.evaluate(PATHS, panel)
    label = page.locator(f"#{panel}").get_attribute("aria-label")
    choose(page.locator(f"section.interactive:has(#{panel}) form"))
    page.wait_for_function(
        "([id, label]) => document.getElementById(id).getAttribute('aria-label') !== label",
        arg=[panel, label],
    )
    assert page.evaluate(DRAWN, panel) != before[0]
    assert page.evaluate(PATHS, panel) != before[1]


def test_the_switches_work_from_the_keyboard(visit):
    page = visit()
    before = page.evaluate(DRAWN, "depth")
    page.locator("#depth-plot input:checked").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.getElementById('depth').ariaLabel.includes('VGG-11')")
    assert page.evaluate(DRAWN, "depth") != before


def test_hovering_a_layer_gives_its_numbers(visit, drawn_page):
    page = visit()
    fig2 = read_table(drawn_page.parent / "tables", "fig2")
    chosen = fig2[(fig2.group_x == "resnet18") & (fig2.group_y == "resnet18")]
    chosen = chosen[(chosen.metric == "procrustes") & (chosen.baseline == "learned")]
    chosen = chosen[(chosen.center == "unit") & (chosen.step > 0)]  # the first curve drawn
    row = chosen.sort_values("depth").iloc[2]
    page.locator("#depth").scroll_into_view_if_needed()
    trained = page.locator("#depth .scatterlayer .trace:has(.point)").first
    box = trained.locator(".point").nth(2).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    said = page.locator("#depth .hovertext").text_content()
    assert row.layer_x in said
    assert f"Score: {in_print(row['mean'])}" in said
    assert f"{in_print(row.low)} to {in_print(row.high)}" in said
    assert "3 networks, 3 pairs" in said


def test_the_table_below_a_plot_has_the_same_numbers(visit):
    page = visit()
    page.locator("summary", has_text="Numbers of “Alignment across depth”").click()
    rows = page.locator("#depth-plot .numbers tbody tr")
    points = page.evaluate("document.getElementById('depth').data.flatMap(c => c.customdata ?? [])")
    assert rows.count() == len(points)
    assert re.fullmatch(r"−?\d\.\d{3}", rows.first.locator("td").nth(2).text_content())


def test_colours_follow_the_scheme_at_once(visit):
    page = visit(scheme="light")
    colours = "[depth.layout.paper_bgcolor, depth.layout.font.color]"
    light = page.evaluate(colours)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"JSON.stringify({colours}) !== '{_json(light)}'")
    dark = page.evaluate(colours)
    assert light == ["#ffffff", "#1c1c1e"]
    assert dark == ["#17181c", "#ececf1"]


def _json(values):
    return "[" + ",".join(f'"{value}"' for value in values) + "]"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_does_not_scroll_sideways(visit, scheme):
    page = visit(width=390, scheme=scheme)
    _open_details(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_accessibility_violation(visit, scheme, width):
    page = visit(width=width, scheme=scheme)
    _open_details(page)
    only = {"runOnly": {"type": "tag", "values": LEVELS}, "resultTypes": ["violations"]}
    found = Axe().run(page, options=only)
    assert found.violations_count == 0, found.generate_report()


def _open_details(page):
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


def test_without_scripts_and_on_paper_the_static_figures_remain(visit):
    for page in (visit(java_script_enabled=False), visit()):
        page.emulate_media(media="print")
        assert not page.locator("#depth-plot").is_visible()
        assert page.locator("img").first.is_visible()
        assert page.locator("dl").is_visible()
