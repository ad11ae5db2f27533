"""Small pictures, and rows of them: colours and descriptions by hand."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest

from course.plot import gallery
from course.plot.pictures import ink_picture, map_picture, photo_picture


def pixels(address: str) -> np.ndarray:
    image = pytest.importorskip("PIL.Image")
    head, data = address.split(",")
    assert head.startswith("data:image/")
    return np.asarray(image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def test_signed_maps_are_centred_on_zero():
    got = pixels(map_picture(np.array([[-2.0, 0.0, 2.0, 8.0]]), scale=2))
    blue, white, red, clipped = got[0]
    assert blue[2] > blue[0] + 30
    assert red[0] > red[2] + 30
    assert white.min() > 240
    assert (clipped == red).all()


def test_magnitudes_start_at_black_and_signs_can_be_asked_for():
    black, half, yellow = pixels(map_picture(np.array([[0.0, 1.0, 2.0]]), scale=2))[0]
    assert black.max() < 10
    assert black.sum() < half.sum() < yellow.sum()
    assert pixels(map_picture(np.array([[0.0, 2.0]]), signed=True))[0, 0].min() > 240
    assert pixels(map_picture(np.zeros((2, 3)))).shape == (2, 3, 3)


def test_ink_and_photographs():
    assert pixels(ink_picture(np.array([[0.0, 1.0, 3.0]])))[0, :, 0].tolist() == [255, 0, 0]
    grey = np.full((8, 16, 3), 90, np.uint8)
    assert np.abs(pixels(photo_picture(grey)) - 90).max() <= 2


def test_concentration_and_place_by_hand():
    m = np.zeros((6, 9))
    m[0, 8], m[5, 0], m[3, 4] = 6, -3, 1
    assert gallery.concentration(m) == 1 / 54  # one pixel holds more than half
    assert gallery.place(m) == "at the top right"
    assert gallery.place(-m[::-1]) == "at the bottom right"
    middle, left = np.zeros((3, 3)), np.zeros((3, 3))
    middle[1, 1] = left[1, 0] = 1
    assert gallery.place(middle) == "in the middle"
    assert gallery.place(left) == "on the left"
    assert gallery.place(left.T) == "at the top"
    assert gallery.concentration(np.ones((4, 4))) == 0.5


def test_description():
    m = np.zeros((3, 10))
    m[1, 5], m[1, 4] = 3, -1
    assert gallery.description(m) == (
        "half of it on 3% of the pixels, most in the middle; 75% of it speaks for the class"
    )
    assert "speaks" not in gallery.description(np.abs(m))
    assert gallery.description(np.zeros((3, 3))) == "zero everywhere"


class Seen(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if given.get("id") else []
        if tag == "img":
            self.images.append(given)
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_rows_are_whole_html_with_alternative_texts():
    one = gallery.picture("data:,", 'a "5" & more', "<5>")
    seen = Seen(gallery.gallery([gallery.gallery_row("row", "Title", [one, one], "<em>n</em>")]))
    assert seen.open == []
    assert seen.ids == ["row"]
    assert [image["alt"] for image in seen.images] == ['a "5" & more'] * 2
    assert "&lt;5&gt;" in one
    assert "<h3>" not in gallery.gallery_row("head", "", [one])
