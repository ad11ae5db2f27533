"""What a learner reads and sees, for answers of every kind: maps, vectors, matrices, numbers."""

from __future__ import annotations

from io import BytesIO, StringIO

import numpy as np
import pytest
from rich.console import Console

from course.grading.diagnose import close, explain_shape
from course.grading.judge import Verdict, judge
from course.grading.report import as_html, explain, next_step, show
from course.grading.run import in_kernel
from course.grading.spec import Case, Exercise
from course.plot.maps import comparison_png, worth_drawing

SHAPES = [(), (1,), (7,), (300,), (3, 4), (1, 90), (2, 3, 4), (2, 3, 5, 5), (1, 2, 3, 1, 6, 4)]


def judged(got, want):
    """The verdict on a function that returns `got` where `want` is right."""

    def answer():
        return got

    exercise = Exercise(
        number="00.1",
        function=answer,
        reference=lambda arguments: want,
        goal="",
        anchor="",
        points=1,
        cases=lambda rng: [Case("only", {})],
        mistakes=(),
        equivalents=(),
        hints=("", "", ""),
    )
    return judge(exercise, in_kernel(exercise, answer))


@pytest.mark.parametrize(
    ("got", "want", "says"),
    [
        (4.0, 3.0, "The answer is 4, expected 3."),
        (-3, 3, "The answer is -3, expected 3."),
        ([0, 2, 1, 3], [0, 1, 2, 3], "The numbers are right, but in another order."),
        ([[1, 3], [2, 4]], [[1, 2], [3, 4]], "The numbers are right, but in another order."),
        ([200, 1, 7], [100, 1, 7], "1 of 3 numbers differ from the right answer."),
        ([-1.0, 2.0], [1.0, 2.0], "The magnitudes are right, but 1 of 2 signs are not."),
        ([3.0, 6.0], [1.0, 2.0], "The answer is 3 times the right one everywhere."),
        ([1.0, 2.0], [0.0, 0.0], "2 of 2 numbers differ from the right answer."),
    ],
)
@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_wrong_values_have_a_cause_and_numbers(got, want, says, dtype):
    verdict = judged(np.array(got, dtype), np.array(want, dtype))
    cause, *numbers = explain(verdict)
    assert cause == says
    assert numbers[-2].startswith("expected ")
    assert numbers[-1].startswith("got ")


def test_bytes_do_not_overflow():
    verdict = judged(np.array([200, 100], np.uint8), np.array([100, 200], np.uint8))
    assert verdict.message == "the numbers are right, but in another order"


@pytest.mark.parametrize("off", [1e-5, 3e-9, 1e-15])
def test_a_difference_can_be_seen_in_the_numbers(off):
    want = np.array([0.0, 0.0, 1e-3 * off])
    *_, right, yours = explain(judged(np.array([off, 0.0, 0.0]), want))
    assert right.split()[1:] != yours.split()[1:]


def test_zeros_may_be_zero_up_to_rounding():
    zeros = np.zeros(3)
    assert close(np.full(3, 1e-15), zeros, 1e-6)
    assert not close(np.full(3, 1e-9), zeros, 1e-6)
    assert judged(np.full(3, 1e-15), zeros).passed


@pytest.mark.parametrize(
    ("got", "want", "says"),
    [
        ((4, 1), (4,), "an axis of length 1 too many"),
        ((2, 3), (2, 1, 3), "an axis of length 1 too few"),
        ((1,), (), "an axis of length 1 too many"),
        ((2, 4, 3), (2, 3, 4), "the axes are in another order"),
        ((3, 1), (1, 3), "the axes are in another order"),
        ((2, 3), (2, 3, 5), "2 axes instead of 3"),
    ],
)
def test_a_wrong_shape_is_explained(got, want, says):
    assert explain_shape(got, want) == f"returned shape {got}, expected {want}: {says}"
    assert judged(np.zeros(got), np.ones(want)).layer == "shape"


def test_another_length_is_told_as_such():
    assert explain_shape((3,), (4,)) == "returned shape (3,), expected (4,)"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float64", "int64", "bool"])
def test_every_answer_has_its_report(shape, dtype):
    rng = np.random.default_rng(0)
    want = np.asarray(rng.random(shape) * 9 > 4).astype(dtype)
    got = np.array(want)
    got.flat[0] = not want.flat[0]
    verdict = judged(got, want)
    assert verdict.layer == "value"
    terminal = Console(file=StringIO(), force_terminal=True, color_system="truecolor", width=80)
    show(verdict, terminal)
    output = terminal.file.getvalue()
    assert ("▀" in output) == worth_drawing(want) == (want.size > 1)
    assert "course hint 00.1" in next_step(verdict)
    assert ("course diff 00.1" in next_step(verdict)) == (want.size > 1)
    assert "course hint 00.1" in as_html(verdict)


@pytest.mark.parametrize("shape", [s for s in SHAPES if s not in ((), (1,))])
def test_every_answer_has_its_picture(shape):
    from matplotlib.image import imread

    rng = np.random.default_rng(0)
    want = rng.normal(size=shape)
    got = want.copy()
    got.flat[-1] += 3
    pixels = imread(BytesIO(comparison_png(got, want)))
    height, width, _ = pixels.shape
    assert width > 2 * height
    # Each of the three panels shows something, and the last differs from the first two.
    panels = [pixels[20:, i * width // 3 : (i + 1) * width // 3, :3] for i in range(3)]
    assert all(panel.std() > 0.01 for panel in panels)


def test_a_vector_is_drawn_as_bars_on_one_scale(monkeypatch):
    from course.plot import maps

    drawn = []
    monkeypatch.setattr(maps, "_as_png", lambda figure: drawn.append(figure) or b"")
    comparison_png(np.array([1.0, -2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    (figure,) = drawn
    heights = [[bar.get_height() for bar in ax.patches] for ax in figure.axes]
    assert heights == [[1, -2, 3], [1, 2, 3], [0, -4, 0]]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    lines = [line for ax in figure.axes for line in ax.lines]
    assert [line.get_xdata()[0] for line in lines if line.get_marker() == "o"] == [1, 1, 1]


def test_one_number_is_shown_without_a_picture():
    from course.cli.help import no_picture

    wrong = judged(np.array(4.0), np.array(3.0))
    assert no_picture(wrong).startswith(
        "00.1 has one number for an answer, and no map. The answer is 4, expected 3."
    )
    assert no_picture(judged(np.array(3.0), np.array(3.0))).endswith("Yours is right.")
    assert no_picture(judged(np.ones(3), np.zeros(3))) == ""


def test_what_never_ran_still_has_a_next_step():
    verdict = Verdict("00.1", "answer", 1, layer="load", message="SyntaxError", line=3)
    assert next_step(verdict) == "Next: course hint 00.1"
