"""The attention views: from plain arrays, whole without a network, and alive in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course.plot.attention import attention_view, neuron_view

TOKENS = ["she", "saw", "<b>", "it's"]
LAYERS, HEADS, T = 2, 3, 4


def weights(t: int = T) -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.ones(t), (LAYERS, HEADS, t))


def vectors() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(T, 6)), rng.normal(size=(T, 6))


def test_the_drawing_is_there_without_a_script():
    """A line for each pair, as strong as the weight: what is printed, or read without scripts."""
    html = attention_view(weights(), TOKENS, layer=1, head=2).html
    drawing = re.search(r'<svg class="av-drawing".*?</svg>', html, re.DOTALL)
    assert drawing
    strengths = [float(s) for s in re.findall(r"<line .*?stroke-opacity=\"(.*?)\"", drawing[0])]
    assert strengths == pytest.approx(weights()[1, 2].ravel(), abs=5e-4)
    mean = attention_view(weights(), TOKENS).html
    strengths = [float(s) for s in re.findall(r"<line .*?stroke-opacity=\"(.*?)\"", mean)]
    assert strengths == pytest.approx(weights()[0].mean(axis=0).ravel(), abs=5e-4)


def test_nothing_is_asked_of_a_network_and_words_are_escaped():
    for view in (attention_view(weights(), TOKENS), neuron_view(*vectors(), TOKENS)):
        assert not re.search(r"https?://|src=|@import|url\(", view._repr_html_())
        assert "<b>" not in view.html
        assert "&lt;b&gt;" in view.html


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: attention_view(weights(), TOKENS[:3]), "tokens must be 4 strings"),
        (lambda: attention_view(weights(), "word"), "tokens must be 4 strings"),
        (
            lambda: attention_view(weights()[0], TOKENS),
            "(layers, heads, T, T), got shape (3, 4, 4)",
        ),
        (lambda: attention_view(weights() * 2, TOKENS), "sum to 1"),
        (lambda: attention_view(weights(), TOKENS, layer=2), "below 2 and 3, got 2 and None"),
        (lambda: attention_view(weights(), TOKENS, head=3), "below 2 and 3, got 0 and 3"),
        (lambda: attention_view(weights(), TOKENS, token=-1), "from 0 to 3, got -1"),
        (lambda: neuron_view(*vectors(), TOKENS, token=4), "from 0 to 3, got 4"),
        (lambda: neuron_view(*vectors(), ["one"]), "tokens must be 4 strings"),
        (
            lambda: neuron_view(vectors()[0], np.ones((2, 6)), TOKENS),
            "as query is, got shape (2, 6)",
        ),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        call()


def test_a_view_of_zero_vectors_is_drawn():
    html = neuron_view(np.zeros((T, 6)), np.zeros((T, 6)), TOKENS).html
    assert "nan" not in html
    assert html.count("25%") == T


def opened(browser: Any, view: Any, folder: Path, **options: Any) -> Any:
    """The saved view, opened from disk with the network cut off; any script's error fails."""
    page = browser.new_context(offline=True, **options).new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.on("console", lambda message: message.type == "error" and pytest.fail(message.text))
    page.goto(view.save(folder / "view.html").as_uri())
    return page


def strengths(page: Any) -> np.ndarray:
    lines = page.locator(".av-lines line")
    values = lines.evaluate_all("all => all.map(line => +line.getAttribute('stroke-opacity'))")
    return np.array(values).reshape(T, T)


@pytest.mark.browser
def test_pointing_at_a_word_shows_its_lines(browser, tmp_path):
    page = opened(browser, attention_view(weights(), TOKENS, 1, 2), tmp_path)
    assert strengths(page) == pytest.approx(weights()[1, 2], abs=1e-3)
    page.locator(".av-token").nth(1).hover()
    only = np.zeros((T, T))
    only[1] = weights()[1, 2, 1]
    assert strengths(page) == pytest.approx(only, abs=1e-3)
    page.locator(".av-token").nth(T + 3).hover()
    only = np.zeros((T, T))
    only[:, 3] = weights()[1, 2, :, 3]
    assert strengths(page) == pytest.approx(only, abs=1e-3)
    assert "“it's” is looked at by" in page.locator(".av-readout").inner_text()
    page.mouse.move(1, 1)
    assert strengths(page) == pytest.approx(weights()[1, 2], abs=1e-3)


@pytest.mark.browser
def test_a_click_keeps_a_word_and_picks_a_head(browser, tmp_path):
    page = opened(browser, attention_view(weights(), TOKENS), tmp_path)
    page.locator(".av-token").nth(2).click()
    page.mouse.move(1, 1)
    page.get_by_role("radio", name="layer 1, head 0").click()
    only = np.zeros((T, T))
    only[2] = weights()[1, 0, 2]
    assert strengths(page) == pytest.approx(only, abs=1e-3)
    shown = page.locator(".av-readout").inner_text()
    best = TOKENS[int(weights()[1, 0, 2].argmax())]
    assert shown.startswith(f"layer 1, head 0: “<b>” looks at {best} ")


@pytest.mark.browser
def test_a_word_can_be_kept_from_the_start(browser, tmp_path):
    view = attention_view(weights(), TOKENS, 0, 1, token=3)
    only = np.zeros((T, T))
    only[3] = weights()[0, 1, 3]
    drawn = re.findall(r"<line .*?stroke-opacity=\"(.*?)\"", view.html)
    assert [float(s) for s in drawn] == pytest.approx(only.ravel(), abs=5e-4)
    page = opened(browser, view, tmp_path)
    assert strengths(page) == pytest.approx(only, abs=1e-3)
    page.locator(".av-token").nth(0).hover()
    page.mouse.move(1, 1)
    assert strengths(page) == pytest.approx(only, abs=1e-3)
    assert "“it's” looks at" in page.locator(".av-readout").inner_text()


@pytest.mark.browser
def test_everything_works_from_the_keyboard(browser, tmp_path):
    page = opened(browser, attention_view(weights(), TOKENS), tmp_path)
    page.keyboard.press("Tab")  # to the heads: one stop
    page.keyboard.press("ArrowLeft")  # from the mean to head 2
    page.keyboard.press("ArrowDown")  # of the next layer
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "layer 1, head 2"
    assert page.locator("[aria-checked=true]").count() == 1
    page.keyboard.press("Tab")  # to the words: one stop
    page.keyboard.press("ArrowDown")
    only = np.zeros((T, T))
    only[1] = weights()[1, 2, 1]
    assert strengths(page) == pytest.approx(only, abs=1e-3)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    assert "“it's” is looked at by" in page.locator(".av-readout").inner_text()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert "“it's”" in page.locator(".av-readout").inner_text()  # kept
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Escape")
    assert strengths(page) == pytest.approx(weights()[1, 2], abs=1e-3)


@pytest.mark.browser
def test_the_neuron_view_follows_the_word_that_looks(browser, tmp_path):
    query, key = vectors()
    page = opened(browser, neuron_view(query, key, TOKENS, 1), tmp_path)
    page.get_by_role("radio", name="saw").focus()
    page.keyboard.press("ArrowRight")
    scores = query[2] @ key.T / np.sqrt(6)
    shares = np.exp(scores) / np.exp(scores).sum()
    shown = page.locator(".av-score").all_inner_texts()
    assert [float(s) for s in shown] == pytest.approx(scores, abs=0.051)
    shown = page.locator(".av-share").all_inner_texts()
    assert [float(s.removesuffix("%")) / 100 for s in shown] == pytest.approx(shares, abs=0.0051)
    bars = page.locator(".av-product").nth(3).locator("rect")
    signs = bars.evaluate_all("all => all.map(bar => bar.getAttribute('class'))")
    assert [s == "av-up" for s in signs] == (query[2] * key[3] > 0).tolist()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_follows_the_scheme(browser, tmp_path, scheme):
    long = ["a-word-that-is-much-too-long"] * 12
    views = (
        attention_view(weights(12), long),
        neuron_view(np.ones((12, 32)), np.ones((12, 32)), long),
    )
    for view in views:
        size = {"width": 390, "height": 800}
        page = opened(browser, view, tmp_path, viewport=size, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        ink = page.evaluate(
            "getComputedStyle(document.querySelector('.attention-view')).getPropertyValue('--av-ink')"
        )
        assert ink.strip() == {"light": "#2a5db0", "dark": "#8fb8ff"}[scheme]


@pytest.mark.browser
def test_nothing_moves_for_those_who_want_no_motion(browser, tmp_path):
    for motion, seconds in [("no-preference", "0.12s"), ("reduce", "0s")]:
        view = attention_view(weights(), TOKENS)
        page = opened(browser, view, tmp_path, reduced_motion=motion)
        took = page.evaluate(
            "getComputedStyle(document.querySelector('.av-lines line')).transitionDuration"
        )
        assert took.split(",")[0] == seconds
