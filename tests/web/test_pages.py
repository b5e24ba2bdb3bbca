"""The pages in a real browser, from file:// addresses and without a network: they load, sort, filter and show."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import report as survey
from galclass import config, images, plotstyle
from galclass.report import page, thumbnails

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHROMIUM).is_file(), reason="no chromium here: apt install chromium"),
]
#: Sizes of the window: a laptop's and a phone's.
WIDTHS = {"laptop": (1280, 800), "phone": (390, 844)}
SIZE = survey.Size(runs=14, snapshots=5, views=3, directions=8)
OVERLAY = {"report": {"candidates": 2, "films": 2, "thumbnails": 60}, "verify": {"candidates": 6}}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of the report of a made-up survey, what its index was given, and the survey's folder."""
    folder = tmp_path_factory.mktemp("survey")
    settings = config.load([survey.made_up(folder / "made", SIZE, OVERLAY)])
    given, render = {}, page.render
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            page, "render", lambda values, *name: given.update({name or "index": values}) or render(values, *name)
        )
        output = folder / "made" / "results" / "report" / "index.html"
        page.run(folder / "made" / "results", settings, output)
    return output.parent, given["index"], folder / "made" / "results"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        running = started.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield running
        running.close()


@pytest.fixture
def opened(browser):
    """A function that opens a file in a window without a network; what goes wrong in the page fails the test."""
    contexts, wrong = [], []

    def open_page(path: Path, size: str = "laptop", **options):
        width, height = WIDTHS[size]
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **options)
        contexts.append(context)
        view = context.new_page()
        view.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        view.on("pageerror", lambda error: wrong.append(str(error)))
        view.on("requestfailed", lambda request: wrong.append(f"not there: {request.url}"))
        view.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else wrong.append(asked.url))
        view.goto(path.resolve().as_uri())
        return view

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def shown(view) -> list[int]:
    """Numbers of the frames that are shown, in their order."""
    return view.evaluate(
        """[...document.querySelectorAll('#gallery li:not([hidden])')].map(li => Number(li.id.slice(6)))"""
    )


def fill(view, name: str, value: str) -> None:
    view.locator(f"#filters [name={name}]").fill(value)


@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("name", ["index.html", "candidates.html"])
def test_pages_load_whole_and_fit_the_window(site, opened, name, size):
    view = opened(site[0] / name, size)
    assert view.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert view.evaluate("document.documentElement.scrollWidth") <= WIDTHS[size][0]
    assert view.evaluate("[...document.images].every(image => image.alt.length > 10)")
    assert view.evaluate("[...document.querySelectorAll('a[href]')].every(link => link.textContent.trim().length > 0)")
    record = json.loads(view.locator("#provenance").text_content())
    assert record["stage"] == "report" and record["inputs"]


def test_a_table_is_sorted_by_its_headings(site, opened):
    view = opened(site[0] / "index.html")
    cells = lambda: view.locator("table.sortable tbody tr td:nth-child(5)").all_text_contents()  # noqa: E731
    heading = view.locator("table.sortable th", has_text="p(rectangle)").locator("button")
    before = cells()
    heading.click()
    assert cells() == sorted(before, key=float) != sorted(before, key=float, reverse=True)
    heading.press("Enter")
    assert cells() == sorted(before, key=float, reverse=True)


def test_frames_are_sorted_and_filtered(site, opened):
    view, data = opened(site[0] / "index.html"), site[1]["gallery"]["data"]
    count = len(data["p"])
    assert shown(view) == list(range(count))
    view.locator("#filters [name=sort]").select_option("p")
    assert [data["p"][k] for k in shown(view)] == sorted(data["p"], reverse=True)
    view.locator("#filters [name=sort]").select_option("time")
    assert [data["time"][k] for k in shown(view)] == sorted(data["time"])
    ratios = [data["design"]["rows"][run][data["design"]["columns"].index("mass_ratio")] for run in data["run"]]
    fill(view, "ratio-low", "2")
    fill(view, "ratio-high", "4.5")
    assert set(shown(view)) == {k for k in range(count) if 2 <= ratios[k] <= 4.5} not in (set(), set(range(count)))
    fill(view, "p-low", "0.5")
    some = {k for k in range(count) if 2 <= ratios[k] <= 4.5 and data["p"][k] >= 0.5}
    assert set(shown(view)) == some
    assert view.locator("#filters output").text_content() == f"{len(some)} of {count} frames"
    view.locator("#filters button[type=reset]").click()
    view.wait_for_function(f"document.querySelectorAll('#gallery li:not([hidden])').length === {count}")
    assert shown(view) == list(range(count))
    view.locator("#filters [name=candidates]").check()
    assert [data["rank"][k] for k in shown(view)] == [rank for rank in data["rank"] if rank]
    fill(view, "run", data["runs"][data["run"][0]].upper())
    assert {data["run"][k] for k in shown(view)} == {data["run"][0]}


def test_thumbnails_are_the_frames(site, opened, tmp_path):
    """A cell as the browser paints it, two by two pixels each, has the colours of the levels of the frame."""
    from matplotlib import colormaps

    view, data = opened(site[0] / "index.html"), site[1]["gallery"]["data"]
    index = len(data["p"]) - 1
    frame = view.locator(f"#frame-{index} .frame")
    frame.scroll_into_view_if_needed()
    frame.evaluate("it => { document.body.append(it); it.style.position = 'fixed'; it.style.inset = '0'; }")
    pack = images.PackFile(site[2] / "render" / "mergers" / f"{data['runs'][data['run'][index]]}.h5")
    levels = images.grey_levels(pack.pictures("images", data["frame"][index], data["frame"][index] + 1)[0])[::-1]
    expected = np.rint(255 * colormaps[plotstyle.IMAGE_MAP](levels)[..., :3]).astype(np.uint8)
    assert levels.std() > 5
    for _ in range(100):  # the browser scrolls, decodes the sheet and paints when it has the time
        view.screenshot(path=tmp_path / "cell.png", clip={"x": 0, "y": 0, "width": 100, "height": 100})
        seen = np.asarray(Image.open(tmp_path / "cell.png").convert("RGB"))[::2, ::2]
        if np.array_equal(seen, expected):
            break
        view.wait_for_timeout(100)
    np.testing.assert_array_equal(seen, expected)


def test_a_frame_leads_to_its_numbers_by_keyboard_alone(site, opened):
    view, data = opened(site[0] / "index.html"), site[1]["gallery"]["data"]
    view.locator("#frame-0 a").press("Enter")
    dialog = view.locator("#details")
    text = dialog.text_content()
    run, snapshot = data["runs"][data["run"][0]], data["snapshots"][data["snapshot"][0]]
    assert f"{run} at {data['time'][0]:.2f} Gyr, frame {data['frame'][0]}" in text
    source = site[2] / "simulate" / "mergers" / run / f"{snapshot}.dat"
    assert f"galclass render {source} -c {site[2] / 'config.yaml'} --run {run} -o again.h5" in text
    assert f"galclass export again.h5 --frame {data['view'][0]} -o again.png" in text
    assert dialog.locator("a").get_attribute("href") == "candidates.html#candidate-1"
    view.keyboard.press("ArrowRight")
    assert f"frame {data['frame'][1]}" in dialog.locator("h3").text_content()
    view.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_without_a_script_frames_lead_to_their_sections(site, opened):
    view = opened(site[0] / "index.html", java_script_enabled=False)
    assert not view.locator("#filters").is_visible()
    assert view.locator("#gallery li").count() == len(site[1]["gallery"]["tiles"])
    view.locator("#frame-0 a").click()
    view.wait_for_url("**/candidates.html#candidate-1")
    assert view.locator("#candidate-1 h2").is_visible()


def test_printed_pages_have_no_controls(site, opened):
    view = opened(site[0] / "index.html")
    view.emulate_media(media="print")
    assert not view.locator("#filters").is_visible()
    assert view.locator("#gallery").evaluate("it => getComputedStyle(it).maxHeight") == "none"


def test_five_thousand_thumbnails_fit_and_scroll(site, opened, tmp_path):
    """Their index stays under 5 MB and the last of them is reached and painted."""
    rng, count = np.random.default_rng(1), 5000
    runs = {f"grid_{k:04d}": {"mass_ratio": 1 + k % 5, "pericentre_kpc": 0.1} for k in range(819)}
    columns = {"rank": 0, "run": rng.choice(list(runs), count), "frame": rng.integers(0, 3000, count),
               "snapshot": [f"snapshot_{k % 61:03d}" for k in range(count)], "time_gyr": rng.uniform(0, 2.9, count),
               "class": rng.choice(["rectangle", "oval"], count), "p_rectangle": rng.random(count),
               "number": 0}  # fmt: skip
    gallery = thumbnails.gallery(pd.DataFrame(columns), runs, 2, (50, 50)) | {"commands": ["{run}"]}
    pictures = np.full((count, 50, 50), 40, np.uint8)
    pictures[-1] = 255
    shutil.copytree(site[0], tmp_path / "report")
    thumbnails.write(tmp_path / "report" / thumbnails.FOLDER, pictures)
    index = tmp_path / "report" / "index.html"
    index.write_text(page.render(site[1] | {"gallery": gallery}))
    assert index.stat().st_size < 5e6
    view = opened(index)
    assert len(shown(view)) == count
    view.locator(f"#frame-{count - 1}").scroll_into_view_if_needed()
    box = view.locator(f"#frame-{count - 1} .frame").bounding_box()
    inside = {"x": box["x"] + 30, "y": box["y"] + 30, "width": 40, "height": 40}
    view.screenshot(path=tmp_path / "last.png", clip=inside)
    assert (np.asarray(Image.open(tmp_path / "last.png").convert("L")) > 200).all()  # the brightest of inferno
    view.locator("#filters [name=sort]").select_option("ratio")
    assert [1 + int(columns["run"][k][5:]) % 5 for k in shown(view)[:3]] == [1, 1, 1]


def test_every_address_in_the_pages_is_there(site):
    for name in ("index.html", "candidates.html"):
        html = (site[0] / name).read_text()
        addresses = re.findall(r"""(?:\bsrc\s*=\s*["']|\burl\(\s*["']?)([^"')]+)""", html)
        beside = {address for address in addresses if not address.startswith("data:image/")}
        assert beside == (set(site[1]["gallery"]["sheets"]) if name == "index.html" else set())
        assert all((site[0] / address).is_file() for address in beside)
