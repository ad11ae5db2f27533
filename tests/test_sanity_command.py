"""`course sanity`: right verdicts on methods whose faults are known, clear words for bad input, and
a page that needs nothing but a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from course.cli import app
from course.sanity.charts import Series, curves, shares
from course.sanity.run import Run, run
from course.sanity.shipped import METHODS
from course.sanity.subjects import subject, trained
from course.sanity.trials import measure, similarity
from course.sanity.verdicts import CANNOT_TELL, FAILS, PASSES, kept

OWN = """
import numpy as np
from course.autograd import Tensor, grad


def _helper(model, x, target):
    return None


def slope(net, image, label):
    inputs = Tensor(image, requires_grad=True)
    return grad(net(inputs)[np.arange(len(image)), label].sum(), inputs)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Trained networks and the library's maps, once for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def tested(cache):
    """Verdicts by method and test, all on the MLP."""

    def noise(model, x, target):
        return np.random.default_rng().normal(size=x.shape)

    def same_noise(model, x, target):
        return np.random.default_rng(0).normal(size=x.shape)

    def one_map(model, x, target):
        """The network's gradient at nothing, whatever the image."""
        return METHODS["gradient"](model, np.zeros_like(x), 3)

    names = ("gradient", "gradient_times_input", "guided_backprop", "lrp_alpha1_beta0",
             "edge_detector")  # fmt: skip
    methods = {name: METHODS[name] for name in names}
    methods |= {"noise": noise, "same_noise": same_noise, "one_map": one_map}
    runs = {
        name: run(method, name, "a test", ["mnist_mlp"], examples=12, seeds=2)
        for name, method in methods.items()
    }
    return {name: {v.test: v for v in r.results[0].verdicts} for name, r in runs.items()}, runs


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("gradient", {"cascade": PASSES, "independent": PASSES, "data": PASSES, "class": PASSES}),
        ("gradient_times_input", {"cascade": PASSES, "data": PASSES, "network": PASSES}),
        ("guided_backprop", {"cascade": FAILS, "class": FAILS, "network": PASSES}),
        ("lrp_alpha1_beta0", {"cascade": FAILS, "data": FAILS, "class": FAILS, "network": PASSES}),
        (
            "edge_detector",
            {"cascade": FAILS, "independent": FAILS, "data": FAILS, "class": FAILS,
             "network": FAILS, "image": PASSES, "repeat": PASSES},
        ),
        # What no correlation alone would notice: noise differs on every network.
        ("noise", {"cascade": CANNOT_TELL, "class": CANNOT_TELL, "network": CANNOT_TELL,
                   "repeat": FAILS}),
        ("same_noise", {"cascade": FAILS, "network": FAILS, "repeat": PASSES}),
        ("one_map", {"network": PASSES, "image": FAILS, "class": FAILS}),
    ],
)  # fmt: skip
def test_verdicts_on_methods_that_are_known(tested, method, expected):
    verdicts = tested[0][method]
    assert {test: verdicts[test].outcome for test in expected} == expected


def test_the_absolute_correlation_is_told_to_be_that_of_noise(tested):
    says = tested[0]["gradient_times_input"]["cascade"].says
    found = re.search(r"over all pixels, (.*), says nothing: .* input reaches (.*)\.", says)
    assert found
    assert [float(number) for number in found.groups()] == pytest.approx([0.99, 0.99], abs=0.02)
    assert "says nothing" not in tested[0]["gradient"]["cascade"].says


def test_what_is_kept_lies_between_two_anchors(tested):
    """By hand: nothing changed is 1, and noise × input reaches what the null says."""
    own = tested[1]["gradient_times_input"].results[0].own
    signed, support = own.scores["cascade"][..., 0], own.scores["cascade"][..., 2]
    null = own.scores["input"][..., 2].mean()
    assert 0.3 < null < 0.5
    by_hand = np.maximum(signed, (support - null) / (1 - null))
    assert kept(own, "cascade") == pytest.approx(by_hand)
    control = own.scores["control"].mean(axis=(0, 1))
    shares = [own.scores["data"][..., 0] / control[0]]
    if control[2] - null > 0.2:  # else the anchors are too close to tell anything
        shares.append((own.scores["data"][..., 2] - null) / (control[2] - null))
    assert kept(own, "data") == pytest.approx(np.max(shares, axis=0))


def test_permuted_labels_are_learnt_by_heart(cache):
    from course.data import mnist
    from course.nn import accuracy

    data = mnist()
    true, permuted = (trained("mnist_mlp", 1, p) for p in (False, True))
    assert accuracy(true, data.x_train[:1000], data.y_train[:1000]) >= 0.99
    assert accuracy(true, data.x_test, data.y_test) > 0.8
    assert accuracy(permuted, data.x_test, data.y_test) < 0.2
    again = trained("mnist_mlp", 1, True)  # from the cache
    assert np.array_equal(again.fc1.weight.data, permuted.fc1.weight.data)


def test_the_measures_are_those_of_scipy():
    spearmanr = pytest.importorskip("scipy.stats").spearmanr

    a, b = np.random.default_rng(0).normal(size=(2, 2, 1, 24, 22))
    support = np.random.default_rng(1).random((2, 1, 24, 22)) > 0.4
    found = similarity(a, b, support)
    inside = support[1]
    assert found[1, 0] == pytest.approx(spearmanr(a[1].ravel(), b[1].ravel())[0])
    assert found[1, 1] == pytest.approx(spearmanr(abs(a[1]).ravel(), abs(b[1]).ravel())[0])
    assert found[1, 2] == pytest.approx(spearmanr(abs(a[1][inside]), abs(b[1][inside]))[0])
    assert np.isnan(similarity(a[..., :8, :6], b[..., :8, :6], support[..., :8, :6])[:, 3:]).all()


def test_maps_without_channels_are_maps_too(cache):
    asked = subject("small_cnn", 6)

    def summed(model, x, target):
        return METHODS["gradient"](model, x, target).sum(axis=1)

    found = measure(summed, "summed", asked, 2, False, lambda *_, **__: None)
    assert found.maps.shape == (1 + len(asked.steps), 3, 8, 6)
    assert asked.steps == ["6", "3", "0"]  # by position, from the output


# --- The command -------------------------------------------------------------


@pytest.fixture
def call(cache, tmp_path, monkeypatch):
    """`course sanity` on the small network; returns (exit code, output)."""
    monkeypatch.chdir(tmp_path)

    def sanity(method: str, *options: str, code: str = OWN) -> tuple[int, str]:
        Path("own.py").write_text(code, encoding="utf-8")
        arguments = ["sanity", method, "--network", "small_cnn", "--examples", "6", "--seeds", "2"]
        result = CliRunner().invoke(app, [*arguments, *options])
        assert not result.exception or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, " ".join(result.output.split())

    return sanity


def test_a_readers_method_gives_what_the_library_gives(call):
    """Its own process, its own names of arguments; the same numbers, and again the same."""
    code, output = call("own.py", "--json", "own.json")
    assert (code, "slope on small_cnn, 6 examples, 2 runs" in output) == (0, True)
    assert "The report is in report.html" in output
    assert call("own.py:slope", "--json", "again.json")[0] == 0
    assert call("gradient", "--json", "library.json")[0] == 0
    own, again, library = (
        json.loads(Path(f"{n}.json").read_text())["networks"]["small_cnn"]
        for n in ("own", "again", "library")
    )
    assert own == again
    assert own["scores"] == library["scores"]
    assert own["scores"]["repeat"][0][0][:3] == [1, 1, 1]
    assert own["scores"]["repeat"][0][0][4] is None  # too small for HOG


def body(code: str) -> str:
    return f"import os, sys, time\nimport numpy as np\n\n\ndef bad(model, x, target):\n    {code}\n"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (body("return x.sum(axis=(1, 2))"), "bad must return an array (6, 3, 8, 6), as x is, or"),
        (body("return x * np.nan"), "bad returned NaN or infinity in 864 of 864 numbers"),
        (body("return np.ones_like(x)"), "bad returned constant maps (1 everywhere)"),
        (body("return None"), "bad returned None; is there a return statement?"),
        (body("x *= 2; return x"), "bad changes x in place; work on a copy"),
        (body("return x @ x.nothing"), "own.py, line 6: bad AttributeError"),
        (body("raise NotImplementedError"), "bad raises NotImplementedError"),
        (body("sys.exit(0)"), "bad called sys.exit()"),
        (body("os._exit(3)"), "bad ended its process (exit code 3)"),
        (body("while True: pass"), "own.py, line 6: bad did not finish within 1 seconds"),
        ("def bad(:\n", "own.py, line 1: SyntaxError"),
        ("import nowhere_to_be_found\n", "own.py, line 1: ModuleNotFoundError"),
        ("def _hidden(model, x, target): ...\n", "own.py: defines no public function of"),
        (OWN + "\n\ndef other(m, x, t): ...\n", "defines slope, other; name one, as own.py:other"),
    ],
)
def test_unusable_code_gets_one_sentence(call, code, says):
    exit_code, output = call("own.py", "--limit", "1" if "while" in code else "60", code=code)
    assert exit_code == 2
    assert says in output
    assert not Path("report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["own.py:missing"], "own.py: defines no function called missing"),
        (["owm.py"], "there is no file owm.py; did you mean own.py?"),
        (["grad"], "grad is neither a .py file nor one of gradient, smoothgrad,"),
        (["gradient", "--examples", "40", "--network", "efficientnet_lite0"], "only 29 examples"),
    ],
)
def test_unusable_arguments_get_one_sentence(call, arguments, says):
    code, output = call(*arguments)
    assert code == 2
    assert says in output


# --- The page ----------------------------------------------------------------


def test_charts_say_their_numbers_and_escape_names():
    line = Series("<b>", "own", np.array([[1.0, 1.0], [0.2, 0.4]]))
    drawing = curves("Signed", ["nothing", "fc2"], [line], 0.5)
    assert "nothing 1.00, fc2 0.30. Noise reaches 0.50." in drawing
    assert "<b>" not in drawing
    drawing = shares("Top", {"<i>": np.array([0.2, 0.4]), "other": None}, ["own", "m0"])
    assert "&lt;i&gt;: 30 percent; other: cannot tell" in drawing


@pytest.fixture(scope="module")
def report(tested, tmp_path_factory):
    from course.sanity.report import report as text

    found: Run = tested[1]["guided_backprop"]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text(found), encoding="utf-8")
    return path


def test_the_page_is_small_and_whole(report):
    html = report.read_text(encoding="utf-8")
    assert report.stat().st_size < 2e6
    assert not re.search(r"https?://|@import|url\(|<script|nan", html)
    assert html.count("<img") == html.count('alt="') > 20
    assert "do not tell whether a method is good" in html


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(browser, report, scheme):
    """On a phone nothing runs off the side, all pictures show, and tables scroll by keyboard."""
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.goto(report.as_uri())
    assert [a for a in asked if not a.startswith(("data:", "file:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    widths = page.locator("img").evaluate_all("all => all.map(i => i.naturalWidth)")
    assert min(widths) == 28
    assert page.locator("article.fails").count() >= 2
    table = page.locator(".scroll").last
    table.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)  # it scrolls smoothly
    assert table.evaluate("table => table.scrollLeft") > 0
    page.close()
