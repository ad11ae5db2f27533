"""The interactive page: it shows the library's numbers, and answers to keyboard and hash."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course.autograd import Tensor
from course.catalogue import CATALOGUE
from course.explore.exhibits import Exhibit, digits, measure, noise_null, photographs
from course.explore.page import explorer, quantise
from course.methods.backprop_rules import guided_backprop
from course.methods.saliency import gradient, gradient_times_input
from course.methods.sanity_checks import (
    cascading_randomization,
    masked_noise_null,
    reinitialize_from_top,
)
from course.models import build
from course.plot.attention import View

softmax = pytest.importorskip("scipy.special").softmax
spearmanr = pytest.importorskip("scipy.stats").spearmanr
block_reduce = pytest.importorskip("skimage.measure").block_reduce

METHODS = ("gradient", "guided_backprop", "gradient_times_input", "edge_detector")


def part(exhibit: Exhibit, pictures: int, methods: tuple[str, ...] = METHODS) -> Exhibit:
    return replace(
        exhibit,
        x=exhibit.x[:pictures],
        pictures=exhibit.pictures[:pictures],
        images=exhibit.images[:pictures],
        methods=methods,
    )


def exhibits() -> list[Exhibit]:
    return [part(digits(), 2), part(digits("mnist_mlp"), 1, METHODS[:3])]


@pytest.fixture(scope="module")
def view() -> View:
    return explorer(exhibits(), [measure(exhibit) for exhibit in exhibits()], book="")


def stored(view: View) -> dict[str, Any]:
    found = re.search(r'<script type="application/json">(.*?)</script>', view.html, re.DOTALL)
    assert found
    return json.loads(found[1])


def decoded(network: dict[str, Any], picture: int) -> np.ndarray:
    """The maps of a picture as a reader of the page gets them: (classes, methods, stops, H, W)."""
    entry, stops = network["pictures"][picture], len(network["counts"])
    shape = (len(entry["classes"]), len(network["methods"]), stops)
    levels = zlib.decompress(base64.b64decode(entry["levels"]))
    maps = np.frombuffer(levels, np.uint8).astype(float)
    maps = maps.reshape(*shape, network["height"], network["width"])
    for m, signed in enumerate(network["signed"]):
        maps[:, m] = maps[:, m] / 63 - 1 if signed else maps[:, m] / 127
    return np.sign(maps) * maps**2 * np.reshape(entry["tops"], (*shape, 1, 1))


def close(found: np.ndarray, wanted: np.ndarray, levels: int) -> bool:
    """Within half a level: of the square root, so that weak values are held more exactly."""
    top = np.abs(wanted).max()
    off = top * (np.sqrt(np.abs(wanted) / top) / levels + 1 / (4 * levels**2))
    return bool((np.abs(found - wanted) <= 1.001 * off + 1e-4 * top).all())


@pytest.mark.parametrize("signed", [False, True])
def test_numbers_survive_the_way_into_bytes(signed: bool) -> None:
    maps = np.random.default_rng(0).standard_cauchy((3, 2, 9, 7))
    maps = maps if signed else np.abs(maps)
    maps[0, 0] = 0  # Grad-CAM's can be
    levels, tops, found = quantise(maps)
    assert found is signed
    assert levels.max() <= 127
    root = levels / 63 - 1 if signed else levels / 127
    back = np.sign(root) * root**2 * tops[..., None, None]
    assert not back[0, 0].any()
    for at in [(1, 0), (2, 1)]:
        assert close(back[at], maps[at], 63 if signed else 127)


def test_the_page_holds_the_maps_of_the_library(view: View) -> None:
    model, x = build("mnist_cnn"), digits().x[:2]
    target = model(Tensor(x)).data.argmax(axis=1)
    methods = {0: (gradient, 127), 1: (guided_backprop, 127), 2: (gradient_times_input, 63)}
    for m, (method, levels) in methods.items():
        wanted = cascading_randomization(model, x, target, 0, method)[:, :, 0]
        for n in range(2):
            found = decoded(stored(view)["networks"][0], n)[0, m]
            for s in range(5):
                one = wanted[s, n] if levels == 63 else np.abs(wanted[s, n])
                assert close(found[s], one, levels)


def test_the_second_class_is_the_networks_second_choice(view: View) -> None:
    model, x = build("mnist_mlp"), digits().x[:1]
    second = model(Tensor(x)).data.argsort(axis=1)[:, -2]
    network = stored(view)["networks"][1]
    assert network["pictures"][0]["classes"][1] == str(second[0])
    wanted = np.abs(gradient(model, x, second))[0, 0]
    assert close(decoded(network, 0)[1, 0, 0], wanted, 127)


def test_correlations_and_probabilities(view: View) -> None:
    model, x = build("mnist_cnn"), digits().x[1:2]
    picture = stored(view)["networks"][0]["pictures"][1]
    order = (-model(Tensor(x)).data[0]).argsort()
    true = gradient(model, x, order[:1]).ravel()
    for stop in (1, 4):
        ruin = reinitialize_from_top(model, stop, 0)
        shares = softmax(ruin(Tensor(x)).data[0].astype(float))
        assert picture["probabilities"][stop] == pytest.approx(shares[order[:2]], abs=2e-5)
        assert picture["says"][stop] == str(shares.argmax())
        assert picture["surely"][stop] == pytest.approx(shares.max(), abs=2e-5)
        map_ = gradient(ruin, x, order[:1]).ravel()
        assert picture["withSigns"][stop] == pytest.approx(
            spearmanr(true, map_).statistic, abs=1e-3
        )
        assert picture["magnitudes"][stop] == pytest.approx(
            spearmanr(np.abs(true), np.abs(map_)).statistic, abs=1e-3
        )


def test_noise_is_given_where_zeros_agree() -> None:
    x = digits().x[:, 0]
    rng = np.random.default_rng(5)
    wanted = masked_noise_null(x > 0, rng.normal(size=(2, *x.shape)))
    assert noise_null(x, 2 * x) == pytest.approx(wanted, abs=0.02)
    assert np.isnan(noise_null(x + 1, x + 1)).all()


def test_a_photograph_and_what_the_page_teaches() -> None:
    """With 20 of 50 layers random, guided backpropagation keeps its map; the gradient does not."""
    exhibit = replace(part(photographs(), 1, METHODS[:2]), counts=(0, 20))
    numbers = measure(exhibit)
    assert numbers.magnitudes[0, 0, 1, 1] > 0.75
    assert numbers.magnitudes[0, 0, 0, 1] < 0.5
    assert abs(numbers.signed[0, 0, 0, 1]) < 0.2
    assert np.isnan(numbers.null).all()
    model = build(exhibit.name)
    target = model(Tensor(exhibit.x)).data.argmax(axis=1)
    full = np.abs(gradient(model, exhibit.x, target)).max(axis=1)[0]
    wanted = block_reduce(full, (2, 2), np.mean)
    found = decoded(stored(explorer([exhibit], [numbers]))["networks"][0], 0)
    assert close(found[0, 0, 0], wanted, 127)


def test_nothing_is_asked_of_a_network(view: View) -> None:
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttp", view.html)
    assert set(re.findall(r'src="(.{5})', view.html)) == {"data:"}
    assert "<noscript>" in view.html


def test_lectures_are_linked_in_the_book_only(view: View) -> None:
    assert stored(view)["book"] == ""
    alone = explorer(exhibits()[1:], [measure(exhibits()[1])])
    assert stored(alone)["book"] is None
    methods = stored(view)["methods"]
    assert {name: entry["lecture"] for name, entry in methods.items()} == {
        name: CATALOGUE[name].lecture for name in METHODS
    }


# --- in a browser, from disk -------------------------------------------------------------------


def opened(browser: Any, view: View, folder: Path, hash_: str = "", **options: Any) -> Any:
    """The saved page, opened from disk with the network cut off; errors and requests fail."""
    page = browser.new_context(offline=True, **options).new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.on("console", lambda message: message.type == "error" and pytest.fail(message.text))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(view.save(folder / "explore.html").as_uri() + hash_)
    page.wait_for_selector("form[data-ready]")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    return page


def settled(page: Any) -> None:
    """Until what was chosen is drawn: drawing waits for the maps to be unpacked."""
    page.evaluate("() => new Promise((done) => setTimeout(done, 60))")


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
    settled(page)


def tab_to(page: Any, name: str) -> None:
    """Move on with the Tab key, as somebody without a mouse does."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == name:
            return
    pytest.fail(f"the Tab key never comes to {name}")


def number(page: Any, side: str, kind: str = "magnitudes") -> float:
    text = page.locator(f"[data-side={side}] .ex-number.ex-{kind} b").inner_text()
    return float(text.replace("−", "-"))


def pixels(page: Any, side: str, way: str = "map") -> np.ndarray:
    canvas = page.locator(f"[data-side={side}] [data-way={way}] canvas")
    bytes_, width = canvas.evaluate(
        "c => [[...c.getContext('2d').getImageData(0, 0, c.width, c.height).data], c.width]"
    )
    return np.array(bytes_).reshape(-1, width, 4)


@pytest.mark.browser
def test_by_keyboard_alone(browser: Any, view: View, tmp_path: Path) -> None:
    page = opened(browser, view, tmp_path)
    network = stored(view)["networks"][0]
    assert (number(page, "left"), number(page, "right")) == (1, 1)
    tab_to(page, "picture")
    press(page, "ArrowRight", "ArrowRight")  # there are two, and the focus stays
    assert page.locator("[name=picture]:checked").get_attribute("value") == "five"
    press(page, "ArrowRight")
    assert page.locator("[name=picture]:checked").get_attribute("value") == "four"
    tab_to(page, "stop")
    press(page, "ArrowRight")
    four = network["pictures"][1]
    assert number(page, "left") == pytest.approx(four["magnitudes"][1], abs=0.006)
    assert number(page, "right") == pytest.approx(four["magnitudes"][6], abs=0.006)
    assert number(page, "right") > 0.6 > 0.4 > number(page, "left")
    status = page.locator(".ex-status").inner_text()
    assert status.startswith("The output layer is random, the other 3 are as trained.")
    assert f"likeliest class is “{four['says'][1]}”" in status
    press(page, "End")
    assert page.locator(".ex-status").inner_text().startswith("All 4 layers are random.")
    page.locator("[name=left]").focus()
    press(page, "ArrowDown", "ArrowDown")
    assert page.locator("[name=left]").input_value() == "gradient_times_input"
    assert number(page, "left", "noise") == pytest.approx(four["noise"][14], abs=0.006)
    assert number(page, "left", "magnitudes") > 0.95
    assert page.locator("[data-side=left] .ex-lecture a").get_attribute("href") == (
        "05_saliency.html"
    )


@pytest.mark.browser
@pytest.mark.parametrize("label", [0, 1])
def test_pixels_are_the_maps_in_the_books_colours(
    browser: Any, view: View, tmp_path: Path, label: int
) -> None:
    from matplotlib import colormaps

    hash_ = f"#network=mnist_cnn&class={label}&stop=2&right=gradient_times_input"
    page = opened(browser, view, tmp_path, hash_)
    maps = decoded(stored(view)["networks"][0], 0)[label]
    for side, m, colours in (("left", 0, "magma"), ("right", 2, "RdBu_r")):
        share = maps[m, 2] / np.percentile(np.abs(maps[m, 2]), 99)
        share = share if colours == "magma" else (share + 1) / 2
        wanted = colormaps[colours](np.clip(share, 0, 1), bytes=True)
        off = np.abs(pixels(page, side).astype(int) - wanted).max(axis=2)
        assert off.max() <= 8  # one colour further, where a value lies on the edge of two
        assert (off == 0).mean() > 0.98


@pytest.mark.browser
def test_percentile_and_opacity(browser: Any, view: View, tmp_path: Path) -> None:
    page = opened(browser, view, tmp_path)
    before = pixels(page, "left")
    tab_to(page, "clip")
    press(page, "PageDown")
    after = pixels(page, "left")
    assert page.locator(".ex-clip").inner_text() == "97"
    assert (after != before).any()
    assert after[..., :3].sum() > before[..., :3].sum()  # colours end earlier: brighter
    assert page.locator("[data-side=left] [data-way=overlay]").is_hidden()
    tab_to(page, "opacity")
    press(page, "Home")
    assert page.locator("[data-side=left] [data-way=overlay]").is_visible()
    canvas = page.locator("[data-side=left] [data-way=overlay] canvas")
    assert canvas.evaluate("c => getComputedStyle(c).opacity") == "0"
    veil = pixels(page, "left", "overlay")[..., 3]
    assert veil.min() < 60
    assert veil.max() == 255


@pytest.mark.browser
def test_the_address_holds_the_state(browser: Any, view: View, tmp_path: Path) -> None:
    page = opened(browser, view, tmp_path)
    page.locator("[name=network]").select_option("mnist_mlp")
    page.locator("[name=view]").select_option("one")
    page.locator("[name=stop]").fill("3")
    settled(page)
    page.wait_for_function("location.hash.length > 1")
    hash_ = page.evaluate("location.hash")
    assert page.locator(".ex-link a").get_attribute("href") == hash_
    again = opened(browser, view, tmp_path, hash_)
    for name, value in {"network": "mnist_mlp", "view": "one", "stop": "3"}.items():
        assert again.locator(f"[name={name}]").input_value() == value
    assert (
        again.locator("[data-side=left] .ex-panel").evaluate_all(
            "all => all.filter(panel => panel.offsetWidth).length"
        )
        == 3
    )
    assert again.locator("[data-side=right]").is_hidden()
    # What does not exist is left as it is.
    wrong = opened(browser, view, tmp_path, "#network=mnist_mlp&left=magic&picture=x&stop=99")
    assert wrong.locator("[name=left]").input_value() == "gradient"
    assert wrong.locator("[name=picture]:checked").get_attribute("value") == "five"
    assert wrong.locator("[name=stop]").input_value() in {"0", "3"}


@pytest.mark.browser
def test_another_network_keeps_what_it_can(browser: Any, view: View, tmp_path: Path) -> None:
    page = opened(browser, view, tmp_path, "#network=mnist_cnn&picture=four&left=edge_detector")
    page.locator("[name=network]").select_option("mnist_mlp")
    settled(page)
    assert page.locator("[name=left]").input_value() == "gradient"
    assert page.locator("[name=right]").input_value() == "guided_backprop"
    assert page.locator("[name=picture]:checked").get_attribute("value") == "five"
    assert page.locator("[name=stop]").get_attribute("max") == "3"


@pytest.mark.browser
def test_play_goes_to_the_end_and_stops(browser: Any, view: View, tmp_path: Path) -> None:
    page = browser.new_context(offline=True).new_page()
    page.clock.install()
    page.goto(view.save(tmp_path / "explore.html").as_uri())
    button = page.get_by_role("button", name="Play")
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator(".ex-play").inner_text() == "Pause"
    page.clock.run_for(2500)
    assert page.locator("[name=stop]").input_value() == "2"
    page.clock.run_for(10_000)
    assert page.locator("[name=stop]").input_value() == "4"
    assert page.locator(".ex-play").inner_text() == "Play"


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browser: Any, view: View, tmp_path: Path, scheme: str) -> None:
    size = {"width": 390, "height": 844}
    for kind in ("two", "one"):
        hash_ = f"#network=mnist_cnn&view={kind}&show=overlay"
        page = opened(browser, view, tmp_path, hash_, viewport=size, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        targets = page.locator(".explore :is(select, button, input[type=range], fieldset label)")
        heights = targets.evaluate_all("all => all.map(e => e.offsetHeight).filter(h => h)")
        assert min(heights) >= 44
        accent = page.evaluate(
            "getComputedStyle(document.querySelector('[name=stop]')).accentColor"
        )
        assert accent == {"light": "rgb(140, 42, 83)", "dark": "rgb(240, 160, 106)"}[scheme]


@pytest.mark.browser
def test_without_scripts_there_is_a_picture(browser: Any, view: View, tmp_path: Path) -> None:
    page = browser.new_context(offline=True, java_script_enabled=False).new_page()
    page.goto(view.save(tmp_path / "explore.html").as_uri())
    assert page.locator(".explore form").is_hidden()
    assert page.get_by_alt_text("Maps of two methods").is_visible()
    assert "takes JavaScript" in page.locator("body").inner_text()


@pytest.mark.browser
def test_every_control_has_a_name_and_news_is_announced(
    browser: Any, view: View, tmp_path: Path
) -> None:
    page = opened(browser, view, tmp_path)
    names = page.evaluate(
        """[...document.querySelectorAll(".explore :is(select, input)")].map((field) =>
            [...field.labels].map((label) => label.textContent.trim()).join(" "))"""
    )
    assert all(names)
    assert page.get_by_role("status").count() == 3  # two figures and the line of the network
    assert page.locator(".explore canvas[role=img]:not([aria-label])").count() == 0
