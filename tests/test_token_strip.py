"""Sentences as coloured words: what a reader, a screen reader and a browser without network get."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from course.plot import token_strip


def words(strip: str) -> list[tuple[str, str, str]]:
    """Background, ink and text of every word."""
    pattern = r'background:(#\w{6});color:(#\w{3})">([^<]*)<span[^>]*>([^<]*)<'
    return [(b, i, f"{t} {n}") for b, i, t, n in re.findall(pattern, strip)]


def test_signs_have_colours_that_are_opposite_and_end_at_the_scale():
    strip = words(token_strip(["good", "bad", "film"], np.array([2.0, -2.0, 0.0])))
    assert [text for _, _, text in strip] == ["good +2", "bad -2", "film +0"]
    red, blue, neutral = ([int(b[i : i + 2], 16) for i in (1, 3, 5)] for b, _, _ in strip)
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert min(neutral) > 230
    beyond = words(token_strip(["good"], np.array([9.0]), scale=2.0))
    assert beyond[0][0] == strip[0][0]


@pytest.mark.parametrize("signed", [True, False])
def test_every_word_can_be_read(signed):
    """At least 4.5 to 1 between ink and background, as WCAG asks for text."""

    def luminance(colour):
        c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return c @ (0.2126, 0.7152, 0.0722)

    scores = np.linspace(-1 if signed else 0, 1, 101)
    for background, ink, _ in words(token_strip(["w"] * 101, scores, signed=signed)):
        pair = sorted((luminance(background), luminance({"#000": "#000000"}.get(ink, "#ffffff"))))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5


def test_it_is_plain_html_without_links_or_scripts():
    strip = token_strip(["<b>", "&"], np.array([1.0, 0.5]), title="a < b")
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(strip)
    assert set(tags) == {"div", "strong", "span"}
    assert "&lt;b&gt;" in strip
    assert "url(" not in strip
    assert "http" not in strip


def test_zeros_and_bad_shapes():
    assert "+0" in token_strip(["film"], np.zeros(1))
    assert token_strip([], np.zeros(0)).endswith("</div>")
    with pytest.raises(ValueError, match=r"each of the 2 tokens, got shape \(3,\)"):
        token_strip(["a", "b"], np.zeros(3))
