"""The report in a real browser, where the machine has one: what only a browser can show."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eoscheck.report.charts import ChartLibrary, chart_library
from eoscheck.report.heatmap import write_matrix
from eoscheck.report.html import write_html
from eoscheck.report.measured import write_measures
from tests.unit.report import measured_samples, samples
from tests.unit.report.test_heatmap import cell, matrix

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"
)
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PAINTED = """canvas => {
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const colours = new Set();
  for (let i = 0; i < pixels.length; i += 4) {
    if (pixels[i + 3]) colours.add(pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2]);
  }
  return colours.size;
}"""
HAS = """(canvas, name) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const drawn = copy.getContext("2d", { willReadFrequently: true });
  drawn.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
  drawn.fillRect(0, 0, 1, 1);
  const [red, green, blue] = drawn.getImageData(0, 0, 1, 1).data;
  drawn.clearRect(0, 0, 1, 1);
  drawn.drawImage(canvas, 0, 0);
  const pixels = drawn.getImageData(0, 0, canvas.width, canvas.height).data;
  return [...pixels.keys()].some((i) => i % 4 === 0
    && pixels[i] === red && pixels[i + 1] === green && pixels[i + 2] === blue);
}"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def charts() -> ChartLibrary:
    library = chart_library()
    assert isinstance(library, ChartLibrary), library
    return library


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Opened]:
    """Opens a file offline; whatever the page complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(path: Path, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": DESK, **options}, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def demo(charts: ChartLibrary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_html(
        samples.demo(), path=tmp_path_factory.mktemp("demo") / "report.html", charts=charts
    )


def shown(page: Any) -> tuple[float, float]:
    """What span of time the first timeline shows."""
    low, high = page.locator("[data-timeline]").first.get_attribute("data-shown").split()
    return float(low), float(high)


def middle_of(page: Any) -> tuple[float, float, float]:
    """x of the left edge, width, and y of the first plot."""
    plot = page.locator(".u-over").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    return box["x"], box["width"], box["y"] + box["height"] / 2


def test_the_chart_library_comes_by_lock_file_with_its_licence(charts: ChartLibrary) -> None:
    assert "uPlot" in charts.script
    assert "</script" not in charts.script.lower()
    assert "Permission is hereby granted" in charts.license
    assert ".u-" in charts.style


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_every_chart_is_drawn_and_nothing_is_wider_than_the_screen(
    opened: Opened, demo: Path, viewport: dict[str, int], scheme: str
) -> None:
    page = opened(demo, viewport=viewport, color_scheme=scheme)
    painted = [canvas.evaluate(PAINTED) for canvas in page.locator("canvas").all()]
    assert len(painted) == 3 * len(samples.demo().runs)
    assert min(painted) > 3  # more than a grid
    lanes = page.locator("[data-timeline] .plot:nth-child(3) canvas")
    assert all(lanes.nth(i).evaluate(HAS, "--down") for i in range(lanes.count()))
    assert page.evaluate(TOO_WIDE) == 0
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    assert page.evaluate(TOO_WIDE) == 0


@needs_chromium
def test_dark_mode_is_dark_at_once_and_when_it_is_switched_on(opened: Opened, demo: Path) -> None:
    def brightness(page: Any) -> float:
        """Of the page's ground, 0 to 255."""
        red, green, blue = page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
        )
        return float(red + green + blue) / 3

    page = opened(demo, color_scheme="light")
    assert brightness(page) > 200
    before = page.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
    page.emulate_media(color_scheme="dark")
    assert brightness(page) < 60
    page.wait_for_function(
        "before => document.querySelector('canvas').toDataURL() !== before", arg=before
    )


@needs_chromium
def test_pointing_at_the_timeline_shows_the_values_of_that_moment(
    opened: Opened, demo: Path
) -> None:
    page = opened(demo)
    left, width, y = middle_of(page)
    page.mouse.move(left + width * 0.4, y)
    low, high = shown(page)
    at = low + (high - low) * 0.4
    told = page.locator(".readout").first.inner_text()
    timeline = samples.demo().runs[0].figures.timeline
    moment = float(told.partition(" s")[0])
    assert moment == pytest.approx(at, abs=0.2)
    bins = {int(t / timeline.bin_s) for t in (at - 0.1, at, at + 0.1)}
    assert any(f"committed {timeline.committed_per_s[i]:,g}/s" in told for i in bins)
    for word in ("sent", "lag", "instance 0", "instance 1"):
        assert word in told
    page.mouse.move(5, 5)
    assert "Point at the chart" in page.locator(".readout").first.inner_text()


@needs_chromium
def test_dragging_zooms_all_plots_of_a_run_and_a_double_click_goes_back(
    opened: Opened, demo: Path
) -> None:
    page = opened(demo)
    whole = shown(page)
    canvases = "[...document.querySelectorAll('[data-timeline=\"0\"] canvas')]"
    pictures = f"{canvases}.map(canvas => canvas.toDataURL())"
    before = page.evaluate(pictures)
    left, width, y = middle_of(page)
    page.mouse.move(left + width * 0.25, y)
    page.mouse.down()
    page.mouse.move(left + width * 0.5, y, steps=4)
    page.mouse.up()
    low, high = shown(page)
    assert low == pytest.approx(whole[0] + (whole[1] - whole[0]) * 0.25, rel=0.05)
    assert high == pytest.approx(whole[0] + (whole[1] - whole[0]) * 0.5, rel=0.05)
    assert all(a != b for a, b in zip(before, page.evaluate(pictures), strict=True))
    page.mouse.dblclick(left + width * 0.5, y)
    assert shown(page) == whole


@needs_chromium
def test_a_finger_zooms_by_the_buttons(opened: Opened, demo: Path) -> None:
    page = opened(demo, viewport=PHONE, has_touch=True, is_mobile=True)
    whole = shown(page)
    page.locator("[data-zoom=in]").first.tap()
    low, high = shown(page)
    assert high - low == pytest.approx((whole[1] - whole[0]) / 2, rel=0.05)
    page.locator("[data-zoom=later]").first.tap()
    assert shown(page)[0] > low
    page.locator("[data-zoom=whole]").first.tap()
    assert shown(page) == pytest.approx(whole, abs=0.5)


@needs_chromium
def test_a_spike_of_a_fifth_of_a_second_is_seen_in_a_run_of_a_day(
    opened: Opened, charts: ChartLibrary, tmp_path: Path
) -> None:
    run = samples.passing()
    bins = 2880
    timeline = msgspec.structs.replace(
        run.figures.timeline,
        bin_s=30.0,
        sent_per_s=[100.0] * bins,
        committed_per_s=[100.0] * bins,
        committed_low=[90.0] * bins,
        committed_high=[9000.0 if i == 1000 else 110.0 for i in range(bins)],
        lag=[5] * bins,
        lag_low=[1] * bins,
        held_back=[0] * bins,
    )
    day = samples.changed(
        run, figures=msgspec.structs.replace(run.figures, timeline=timeline, recoveries=[])
    )
    page = opened(write_html(samples.of(day), path=tmp_path / "day.html", charts=charts))
    blue = """(canvas, share) => {
      const over = document.querySelector(".u-over").getBoundingClientRect();
      const at = canvas.getBoundingClientRect();
      const x = over.x - at.x + over.width * share, y = over.y - at.y + over.height * 0.3;
      const copy = new OffscreenCanvas(canvas.width, canvas.height);
      const painted = copy.getContext("2d", { willReadFrequently: true });
      painted.drawImage(canvas, 0, 0);
      const pixels = painted.getImageData(x - 3, y, 6, 4).data;
      const isBlue = (i) => pixels[i + 3] > 0 && pixels[i + 2] - pixels[i] > 20;
      return [...pixels.keys()].some((i) => i % 4 === 0 && isBlue(i));
    }"""
    canvas = page.locator("canvas").first
    painted = [canvas.evaluate(blue, i / bins) for i in (900, 1000.5, 1100)]
    assert painted == [False, True, False]  # high up there is nothing but the spike


@needs_chromium
def test_what_a_record_holds_stays_text(opened: Opened, demo: Path) -> None:
    page = opened(demo)  # a dialog would be a complaint
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    assert samples.HOSTILE in page.locator("main").inner_text()
    assert page.locator("script").count() == 3  # the data, the library, the timeline


@needs_chromium
def test_print_has_the_charts_and_the_tables_of_faults_on_white(opened: Opened, demo: Path) -> None:
    page = opened(demo, color_scheme="dark", viewport={"width": 700, "height": 1000})
    page.evaluate("window.printed = []")
    page.evaluate(
        """addEventListener("beforeprint", () => printed.push(
          document.querySelector(".plots canvas").getBoundingClientRect().width,
          getComputedStyle(document.documentElement).getPropertyValue("--card").trim(),
          [...document.querySelectorAll("details.faults")].every(each => each.open)))"""
    )
    pdf = page.pdf(format="A4")
    width, card, opens = page.evaluate("printed")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1000})  # what A4 leaves between its margins
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    beyond = "all => all.filter(each => each.getBoundingClientRect().right > innerWidth).length"
    assert page.locator("table").evaluate_all(beyond) == 0
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") >= 3
    assert width <= 700
    assert (card, opens) == ("#ffffff", True)


@needs_chromium
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_measures_and_crash_points_fit_the_screen_and_say_their_values(
    opened: Opened, tmp_path: Path, viewport: dict[str, int]
) -> None:
    everything = [
        measured_samples.recovery(),
        measured_samples.cost(),
        measured_samples.commit_interval(),
        measured_samples.restore(),
    ]
    page = opened(write_measures(everything, path=tmp_path / "measures.html"), viewport=viewport)
    assert page.evaluate(TOO_WIDE) == 0
    for mark in ("circle.dot", "circle.at", "rect.part", "line.whisker", "circle.point"):
        boxes = [each.bounding_box() for each in page.locator(mark).all()]
        assert boxes
        assert all(box is not None for box in boxes)
        assert all(0 <= box["x"] <= viewport["width"] for box in boxes if box is not None)
    assert page.locator("circle.at title", has_text="MB/s").count()
    cells = [cell(f"EndTxn(commit) x {what}") for what in ("crash-before", "drop-response")]
    heat = opened(write_matrix(matrix(*cells), path=tmp_path / "m.html"), viewport=viewport)
    assert heat.evaluate(TOO_WIDE) == 0
    assert heat.locator(".heat .cell").count() == 2
