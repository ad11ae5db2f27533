"""03 cam: the average, the class activation map, Grad-CAM, its enlargement, the pointing game."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course.autograd import Tensor, grad, interpolate, softmax
from course.grading.spec import Answer, Case, Exercise, Mistake, ModuleSpec, Network, Property
from course.methods import cam
from course.methods.protocol import Model, Target, feature_maps
from course.specs._protocol import MANNERS, in_torch, telling_targets

# The lecture's example: an image of 2x3 pixels, and its two feature maps, light and dark.
HAND_INPUT = np.array([[[[3.0, 0.0, -1.0], [1.0, -2.0, 5.0]]]])
HAND_FEATURES = np.concatenate([np.maximum(HAND_INPUT, 0), np.maximum(-HAND_INPUT, 0)], axis=1)
HAND_WEIGHTS = np.array([[1.0, 1.0], [2.0, -1.0], [-1.0, 3.0]])


def _named(name: str, answer: Answer) -> Answer:
    answer.__name__ = name
    return answer


def _features(rng: np.random.Generator, n: int = 3) -> np.ndarray:
    """Maps of several channels, higher than wide, some negative."""
    return rng.normal(size=(n, 6, 5, 4))


# --- 03.1 global_average_pool --------------------------------------------------------------


def pool_cases(rng: np.random.Generator) -> list[Case]:
    features = _features(rng)
    return [
        Case("hand", {"features": HAND_FEATURES}, expected=np.array([[1.5, 0.5]])),
        Case("batch", {"features": features}),
        Case("single precision", {"features": features[:2].astype(np.float32)}, tolerance=1e-4),
    ]


def _pool(name: str, reduce: Callable[[np.ndarray], np.ndarray]) -> Answer:
    return _named(name, lambda features: reduce(features))


GLOBAL_AVERAGE_POOL = Exercise(
    number="03.1",
    function=cam.global_average_pool,
    reference=in_torch(cam.global_average_pool),
    goal="Average each feature map over all its places: (N, K, H, W) to (N, K).",
    anchor="sec-cam-pool",
    points=1,
    cases=pool_cases,
    mistakes=[
        Mistake(
            _pool("sums", lambda f: f.sum(axis=(2, 3))),
            "you sum, as the paper's formula is written; networks divide by the number of places",
        ),
        Mistake(
            _pool("maximum", lambda f: f.max(axis=(2, 3))),
            "you take the strongest place of each map; this is the average",
        ),
        Mistake(
            _pool("over_channels", lambda f: f.mean(axis=(1, 2))),
            "you average over channels and rows; the channels have to stay apart",
        ),
        Mistake(
            _pool("over_the_batch", lambda f: np.broadcast_to(f.mean(axis=(0, 2, 3)), f.shape[:2])),
            "you average over the batch too; every image has its own average",
        ),
        Mistake(
            _pool("kept_axes", lambda f: f.mean(axis=(2, 3), keepdims=True)),
            "you keep the two axes of space with length 1; the answer is (N, K)",
        ),
        Mistake(
            _pool("positive_only", lambda f: np.maximum(f, 0).mean(axis=(2, 3))),
            "you cut off negative entries before you average; the average takes them as they are",
        ),
        Mistake(
            _pool("divided_by_rows", lambda f: f.sum(axis=(2, 3)) / f.shape[2]),
            "you divide by the number of rows; there are H·W places",
        ),
        Mistake(
            _pool("median", lambda f: np.median(f, axis=(2, 3))),
            "you take the median; the identity with the logit needs the mean",
        ),
    ],
    equivalents=[
        _pool("flattened", lambda f: f.reshape(*f.shape[:2], -1).mean(axis=2)),
        _pool("sum_over_count", lambda f: f.sum(axis=(-1, -2)) / (f.shape[2] * f.shape[3])),
        _pool("one_after_the_other", lambda f: f.mean(axis=3).mean(axis=2)),
        _pool("einsum", lambda f: np.einsum("nkij->nk", f) / f[0, 0].size),
        _pool("single_precision", lambda f: f.mean(axis=(2, 3)).astype(np.float32)),
    ],
    hints=(
        "A feature map says how strongly a unit finds its pattern at each place. The average asks "
        "how much of the pattern there is in the picture, and forgets where.",
        "F_k = 1/(H·W) Σ_ij f_k(i, j): the mean over the last two axes of (N, K, H, W).",
        "return features.mean(axis=____)",
    ),
)


# --- 03.2 class_activation_map -------------------------------------------------------------


def cam_cases(rng: np.random.Generator) -> list[Case]:
    features, weights = _features(rng), rng.normal(size=(5, 6))
    hand = {"features": HAND_FEATURES, "weights": HAND_WEIGHTS, "target": 1}
    return [
        # 2 f_1 - f_2, with f_1 = (3 0 0 / 1 0 5) and f_2 = (0 0 1 / 0 2 0).
        Case("hand", hand, expected=np.array([[[6.0, 0.0, -1.0], [2.0, -2.0, 10.0]]])),
        Case(
            "batch",
            {"features": features, "weights": weights, "target": rng.permutation(4)[:3] + 1},
        ),
        Case("one target", {"features": features[:2], "weights": weights, "target": 3}),
        Case(
            "single precision",
            {
                "features": features.astype(np.float32),
                "weights": weights.astype(np.float32),
                "target": 2,
            },
            tolerance=1e-4,
        ),
    ]


def _cam(name: str, finish: Callable[[np.ndarray], np.ndarray]) -> Answer:
    """An answer that computes the right map and then does `finish` with it."""
    return _named(
        name,
        lambda features, weights, target: finish(
            cam.class_activation_map(features, weights, target)
        ),
    )


def _chosen(name: str, choose: Callable[[np.ndarray, np.ndarray, Target], np.ndarray]) -> Answer:
    """An answer that gives each image the row of weights that `choose` gives, (N, K)."""
    return _named(
        name,
        lambda features, weights, target: np.einsum(
            "nk,nkij->nij",
            np.broadcast_to(choose(features, weights, target), features.shape[:2]),
            features,
        ),
    )


def top_class(features: np.ndarray, weights: np.ndarray, target: Target) -> np.ndarray:
    best = (features.mean(axis=(2, 3)) @ weights.T).argmax(axis=1)
    return cam.class_activation_map(features, weights, best)


def image_loops(features: np.ndarray, weights: np.ndarray, target: Target) -> np.ndarray:
    classes = np.broadcast_to(target, len(features))
    return np.stack(
        [
            sum(w * f for w, f in zip(weights[c], maps, strict=True))
            for c, maps in zip(classes, features, strict=True)
        ]
    )


def one_by_one_convolution(features: np.ndarray, weights: np.ndarray, target: Target) -> np.ndarray:
    every = np.einsum("ck,nkij->ncij", weights, features)
    return every[np.arange(len(features)), target]


def flattened_product(features: np.ndarray, weights: np.ndarray, target: Target) -> np.ndarray:
    n, k, h, w = features.shape
    rows = weights[np.broadcast_to(target, n)][:, None]
    return (rows @ features.reshape(n, k, h * w)).reshape(n, h, w)


def broadcast_sum(features: np.ndarray, weights: np.ndarray, target: Target) -> np.ndarray:
    rows = weights[np.broadcast_to(target, len(features))]
    return (rows[:, :, None, None] * features).sum(axis=1)


CLASS_ACTIVATION_MAP = Exercise(
    number="03.2",
    function=cam.class_activation_map,
    reference=in_torch(cam.class_activation_map),
    goal="Weigh the feature maps by a class's own weights, and add them up place by place.",
    anchor="sec-cam-map",
    points=2,
    cases=cam_cases,
    properties=[
        Property(
            "mean",
            case="hand",
            variations=(lambda a: {**a, "target": 2},),
            # S_1 - b_1 = 2 * 1.5 - 0.5 and S_2 - b_2 = -1.5 + 3 * 0.5
            holds=lambda one, two: abs(one.mean() - 2.5) < 1e-6 and abs(two.mean()) < 1e-6,
            says="the mean of the map must be the class's logit without its bias; yours is not",
        )
    ],
    mistakes=[
        Mistake(
            _cam("rectified", lambda m: np.maximum(m, 0)),
            "you cut off the negative part; CAM keeps it, or its mean is not the logit",
        ),
        Mistake(_cam("magnitude", np.abs), "you take the magnitude; evidence against is negative"),
        Mistake(
            _cam("divided", lambda m: m / (m.shape[1] * m.shape[2])),
            "your map is divided by H·W: that is Grad-CAM's scale; here the mean is the logit",
        ),
        Mistake(
            _cam(
                "scaled_to_one",
                lambda m: (
                    (m - m.min(axis=(1, 2), keepdims=True)) / np.ptp(m, axis=(1, 2), keepdims=True)
                ),
            ),
            "you scale each map from 0 to 1; return raw values, scaling is for display",
        ),
        Mistake(top_class, "you explain the class with the largest logit; explain target"),
        Mistake(
            _chosen("first_target", lambda f, w, t: w[int(np.ravel(t)[0])]),
            "you use the first target for the whole batch",
        ),
        Mistake(
            _chosen("all_classes", lambda f, w, t: w.sum(axis=0)),
            "you add the weights of all classes; choose the row of the target",
        ),
        Mistake(
            _chosen("no_weights", lambda f, w, t: np.ones(f.shape[1])),
            "you add the feature maps without weights; that map is the same for every class",
        ),
        Mistake(
            _chosen("weight_magnitude", lambda f, w, t: np.abs(w[t])),
            "you drop the sign of the weights; a unit can speak against a class",
        ),
        Mistake(
            _chosen("averaged_weights", lambda f, w, t: w[t] / f.shape[1]),
            "you average over the units; add them up",
        ),
    ],
    equivalents=[
        image_loops,
        one_by_one_convolution,
        flattened_product,
        broadcast_sum,
        _cam("single_precision", lambda m: m.astype(np.float32)),
    ],
    hints=(
        "The logit is a weighted sum of averages. Exchange the two sums: weigh and add first, at "
        "each place, and average last. The map is what stands there before the average.",
        "M_c(i, j) = Σ_k w_k^c f_k(i, j). `weights` is (C, K), so `weights[target]` is (N, K), or "
        "(K,) where one target serves all.",
        'np.einsum("nk,nkij->____", chosen, features)',
    ),
)


# --- 03.3 grad_cam -------------------------------------------------------------------------


def grad_cam_cases(rng: np.random.Generator) -> list[Case]:
    network = Network("small_cnn", seed=int(rng.integers(1 << 31)))
    x = rng.normal(size=(4, 3, 8, 6))
    batch = {"model": network, "x": x, "target": telling_targets(network, x, rng), "layer": "1"}
    pooled = Network("mnist_gap")
    pages = rng.random((2, 1, 28, 20))
    single = Network("small_cnn", network.seed, "float32")
    return [
        Case(
            "hand",
            {"model": Network("hand_pooled"), "x": HAND_INPUT, "target": 1, "layer": "relu"},
            # The CAM of 03.2 over Z = 6, without its negative part.
            expected=np.array([[[1.0, 0.0, 0.0], [1 / 3, 0.0, 5 / 3]]]),
        ),
        Case("batch", batch),
        Case("no relu", {**batch, "layer": "3", "relu": False}),
        Case(
            "pooled head",
            {
                "model": pooled,
                "x": pages,
                "target": telling_targets(pooled, pages, rng),
                "layer": "relu3",
                "relu": False,
            },
        ),
        Case("one target", {**batch, "x": x[:2], "target": 3, "relu": False}),
        Case(
            "single precision",
            {**batch, "model": single, "x": x.astype(np.float32), "target": 2, "relu": False},
            tolerance=1e-4,
        ),
    ]


Score = Callable[[Tensor, Target], Tensor]
Combine = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _score(logits: Tensor, target: Target) -> Tensor:
    return logits[np.arange(len(logits)), target].sum()


def _weighted(gradient: np.ndarray, features: np.ndarray) -> np.ndarray:
    return (gradient.mean(axis=(2, 3), keepdims=True) * features).sum(axis=1)


def _grad_cam(
    name: str,
    combine: Combine = _weighted,
    score: Score = _score,
    finish: Callable[[np.ndarray], np.ndarray] = lambda cam: np.maximum(cam, 0),
    always: bool = False,
) -> Answer:
    """Gradient of `score` at the layer, `combine` of it and the maps, `finish` if relu."""

    def answer(
        model: Model, x: np.ndarray, target: Target, layer: str, relu: bool = True
    ) -> np.ndarray:
        logits, features = feature_maps(model, Tensor(x), layer)
        m = combine(grad(score(logits, target), features), features.data)
        return finish(m) if relu or always else m

    return _named(name, answer)


def _rectified(a: np.ndarray) -> np.ndarray:
    return np.maximum(a, 0)


def one_by_one(
    model: Model, x: np.ndarray, target: Target, layer: str, relu: bool = True
) -> np.ndarray:
    classes = np.broadcast_to(target, len(x))
    return np.concatenate(
        [cam.grad_cam(model, x[i : i + 1], int(c), layer, relu=relu) for i, c in enumerate(classes)]
    )


GRAD_CAM = Exercise(
    number="03.3",
    function=cam.grad_cam,
    reference=in_torch(cam.grad_cam),
    goal="Average the gradient over each feature map of a layer, weigh the maps by it, add them "
    "up, and cut off what is negative.",
    anchor="sec-cam-grad",
    points=3,
    cases=grad_cam_cases,
    properties=MANNERS,
    mistakes=[
        Mistake(
            _grad_cam("place_by_place", lambda g, a: (g * a).sum(axis=1)),
            "you multiply gradient and map place by place; average the gradient over space first",
        ),
        Mistake(
            _grad_cam(
                "summed_gradient",
                lambda g, a: (g.sum(axis=(2, 3), keepdims=True) * a).sum(axis=1),
            ),
            "you sum the gradient over space; α is its mean (on a pooled head yours is CAM itself)",
        ),
        Mistake(
            _grad_cam("gradient_alone", lambda g, a: g.sum(axis=1)),
            "the feature maps are missing from your product",
        ),
        Mistake(
            _grad_cam(
                "relu_per_channel",
                lambda g, a: _rectified(g.mean(axis=(2, 3), keepdims=True) * a).sum(axis=1),
            ),
            "you rectify each unit's part before you add; the ReLU comes after the sum",
        ),
        Mistake(
            _grad_cam(
                "positive_gradient",
                lambda g, a: (_rectified(g).mean(axis=(2, 3), keepdims=True) * a).sum(axis=1),
            ),
            "you cut off negative gradients before the mean; units may speak against a class",
        ),
        Mistake(
            _grad_cam("mean_over_units", lambda g, a: _weighted(g, a) / a.shape[1]),
            "you average over the units; add them up",
        ),
        Mistake(
            _grad_cam(
                "probability",
                score=lambda s, t: softmax(s)[np.arange(len(s)), t].sum(),
            ),
            "you differentiate the softmax probability; Grad-CAM uses the logit",
        ),
        Mistake(
            _grad_cam("top_class", score=lambda s, t: s.max(dim=1).values.sum()),
            "you explain the class with the largest logit; explain target",
        ),
        Mistake(
            _grad_cam("every_target", score=lambda s, t: s[:, t].sum()),
            "you take every target for every image, as logits[:, target] does; pair image i with "
            "target[i]",
        ),
        Mistake(
            _grad_cam(
                "batch_mean",
                score=lambda s, t: s[np.arange(len(s)), t].mean(),
            ),
            "your maps shrink as the batch grows: sum the scores, do not average them",
        ),
        Mistake(
            _grad_cam("always_relu", always=True),
            "you cut off the negative part although relu is False",
        ),
        Mistake(
            _grad_cam("never_relu", finish=lambda m: m),
            "the ReLU is missing: evidence against the class is still in your map",
        ),
        Mistake(
            _grad_cam("magnitude", finish=np.abs),
            "you take the magnitude; evidence against would look like evidence for",
        ),
        Mistake(
            _grad_cam(
                "scaled_to_one",
                finish=lambda m: (
                    _rectified(m) / (_rectified(m).max(axis=(1, 2), keepdims=True) + 1e-12)
                ),
            ),
            "you scale each map to 1; return raw values, scaling is for display",
        ),
    ],
    equivalents=[
        one_by_one,
        _grad_cam("einsum", lambda g, a: np.einsum("nk,nkij->nij", g.mean(axis=(2, 3)), a)),
        _grad_cam(
            "double_sum",
            lambda g, a: np.einsum("nkpq,nkij->nij", g, a) / (a.shape[2] * a.shape[3]),
        ),
        _grad_cam("half_of_both", finish=lambda m: (m + np.abs(m)) / 2),
        _grad_cam("where", finish=lambda m: np.where(m > 0, m, 0)),
        _grad_cam("single_precision", lambda g, a: _weighted(g, a).astype(np.float32)),
    ],
    equivalent_mutants={
        "return np.maximum(0, cam) if relu else cam": "a maximum knows no order",
    },
    hints=(
        "CAM reads a unit's weight off the last layer. If there is no such layer, ask the gradient "
        "how much the score would rise if the whole feature map did.",
        "α_k = mean over i, j of ∂S_c/∂A_k(i, j); then ReLU(Σ_k α_k A_k). `feature_maps` gives "
        "logits and A on one tape, so `grad(score, features)` is ∂S_c/∂A.",
        "weights = gradient.mean(axis=____, keepdims=True)",
    ),
)


# --- 03.4 upsample_bilinear ----------------------------------------------------------------


def upsample_cases(rng: np.random.Generator) -> list[Case]:
    maps = rng.normal(size=(3, 4, 3))
    hand = np.array([[[0.0, 4.0]]])
    return [
        # The four pixels lie at -1/4, 1/4, 3/4 and 5/4 of the two; outside, the edge counts.
        Case(
            "hand",
            {"maps": hand, "size": [1, 4]},
            expected=np.array([[[0.0, 1.0, 3.0, 4.0]]]),
        ),
        Case("batch", {"maps": maps, "size": [11, 7]}),
        Case("corners", {"maps": maps, "size": [9, 7], "align_corners": True}),
        Case("one row", {"maps": maps, "size": [1, 5], "align_corners": True}),
        Case("single precision", {"maps": maps.astype(np.float32), "size": [8, 6]}, tolerance=1e-4),
    ]


def _resample(
    name: str, place: Callable[[int, int, bool], np.ndarray], swap: bool = False
) -> Answer:
    """Linear interpolation at the places that `place` gives for n entries and out pixels."""

    def answer(maps: np.ndarray, size: tuple[int, int], align_corners: bool = False) -> np.ndarray:
        matrices = []
        for n, out in zip(maps.shape[1:], reversed(size) if swap else size, strict=True):
            p = np.clip(place(n, out, align_corners), 0, n - 1)
            matrices.append(np.maximum(0, 1 - np.abs(p[:, None] - np.arange(n))))
        return matrices[0] @ maps @ matrices[1].T

    return _named(name, answer)


def _centres(n: int, out: int, align_corners: bool) -> np.ndarray:
    if align_corners:
        return np.linspace(0, n - 1, out)
    return (np.arange(out) + 0.5) * n / out - 0.5


def engine(maps: np.ndarray, size: tuple[int, int], align_corners: bool = False) -> np.ndarray:
    images = Tensor(maps[:, None])
    return interpolate(
        images, (size[0], size[1]), mode="bilinear", align_corners=align_corners
    ).data[:, 0]  # fmt: skip


def _at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.interp(places, np.arange(len(values)), values)


def numpy_interp(
    maps: np.ndarray, size: tuple[int, int], align_corners: bool = False
) -> np.ndarray:
    for axis, out in enumerate(size, start=1):
        n = maps.shape[axis]
        p = _centres(n, out, align_corners)
        maps = np.apply_along_axis(_at, axis, maps, p)
    return maps


def columns_first(
    maps: np.ndarray, size: tuple[int, int], align_corners: bool = False
) -> np.ndarray:
    turned = cam.upsample_bilinear(maps.transpose(0, 2, 1), (size[1], size[0]), align_corners)
    return turned.transpose(0, 2, 1)


def map_loops(maps: np.ndarray, size: tuple[int, int], align_corners: bool = False) -> np.ndarray:
    return np.concatenate(
        [cam.upsample_bilinear(m[None], (size[0], size[1]), align_corners) for m in maps]
    )


UPSAMPLE_BILINEAR = Exercise(
    number="03.4",
    function=cam.upsample_bilinear,
    reference=in_torch(cam.upsample_bilinear),
    goal="Enlarge a map by mixing neighbours, with the right place for each new pixel.",
    anchor="sec-cam-upsample",
    points=2,
    cases=upsample_cases,
    mistakes=[
        Mistake(
            _resample("always_corners", lambda n, out, c: _centres(n, out, True)),
            "you align the corners' centres always; without align_corners the outer edges agree",
        ),
        Mistake(
            _resample("never_corners", lambda n, out, c: _centres(n, out, False)),
            "you ignore align_corners",
        ),
        Mistake(
            _resample("other_way_round", lambda n, out, c: _centres(n, out, not c)),
            "you have the two cases of align_corners the wrong way round",
        ),
        Mistake(
            _resample(
                "no_half_pixel",
                lambda n, out, c: _centres(n, out, True) if c else np.arange(out) * n / out,
            ),
            "the half pixels are missing: a pixel's centre is at i + 1/2, so your map is shifted",
        ),
        Mistake(
            _resample(
                "half_pixel_kept",
                lambda n, out, c: _centres(n, out, True) if c else (np.arange(out) + 0.5) * n / out,
            ),
            "you add the half pixel and do not take it off again: your map is shifted",
        ),
        Mistake(
            _resample("nearest", lambda n, out, c: np.floor(np.arange(out) * n / out)),
            "you copy the nearest entry; bilinear interpolation mixes two neighbours on each axis",
        ),
        Mistake(
            _resample("swapped_size", _centres, swap=True),
            "you read size as (width, height); it is (height, width)",
        ),
        Mistake(
            _named(
                "scaled_to_one",
                lambda maps, size, align_corners=False: (
                    (u := cam.upsample_bilinear(maps, size, align_corners))
                    / np.abs(u).max(axis=(1, 2), keepdims=True)
                ),
            ),
            "you scale each map to 1; return raw values, scaling is for display",
        ),
        Mistake(
            _named(
                "rectified",
                lambda maps, size, align_corners=False: np.maximum(
                    cam.upsample_bilinear(maps, size, align_corners), 0
                ),
            ),
            "you cut off negative entries; enlarging keeps the sign",
        ),
    ],
    equivalents=[
        _resample("hat_matrices", _centres),
        engine,
        numpy_interp,
        columns_first,
        map_loops,
    ],
    equivalent_mutants={
        "place = np.maximum(0, place)": "a maximum knows no order",
        "right = np.minimum(n - 1, left + 1)": "a minimum knows no order",
        "mixed = -((1 - share) * near + share * far)": "negated once for each of two axes",
    },
    hints=(
        "Each new pixel lies somewhere between old ones. Work out where, on one axis; mix its two "
        "neighbours by how near they are; then do the other axis the same way.",
        "place = (i + 1/2) n/out - 1/2, or i (n-1)/(out-1) with align_corners, clipped to "
        "[0, n-1]; value = (1 - share) · left + share · right, share = place - left.",
        "place = (np.arange(out) + ____) * n / out - ____",
    ),
)


# --- 03.5 pointing_game --------------------------------------------------------------------


def pointing_cases(rng: np.random.Generator) -> list[Case]:
    maps = np.array(
        [[[9.0, 1, 0], [0, -20, 2]], [[1, 5, 0], [1, 0, 1]], [[7, 7, 0], [0, 0, 0]], [[-3] * 3] * 2]
    )  # fmt: skip
    left = np.zeros(maps.shape, bool)
    left[:, :, 0] = True
    smooth = rng.normal(size=(40, 5, 4))
    return [
        # A hit, a miss, a tie across the border, and a flat map: two of its six places.
        Case("hand", {"maps": maps, "regions": left}, expected=np.array([1.0, 0.0, 0.5, 1 / 3])),
        Case("no ties", {"maps": smooth, "regions": rng.random(smooth.shape) < 0.4}),
        Case(
            "ties",
            {
                "maps": rng.integers(-3, 3, (40, 4, 5)).astype(float),
                "regions": rng.random((40, 4, 5)) < 0.4,
            },
        ),
    ]


def _point(name: str, score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Answer:
    return _named(name, lambda maps, regions: score(maps, regions))


def _shared(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    return cam.pointing_game(maps, regions)


def _first(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    flat = maps.reshape(len(maps), -1)
    return regions.reshape(len(maps), -1)[np.arange(len(maps)), flat.argmax(axis=1)] * 1.0


def _any(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    top = maps == maps.max(axis=(1, 2), keepdims=True)
    return (top & regions).any(axis=(1, 2)) * 1.0


def _best_inside(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    inside = np.where(regions, maps, -np.inf).max(axis=(1, 2))
    return (inside > np.where(regions, -np.inf, maps).max(axis=(1, 2))) * 1.0


def loops(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    return np.array([r[m == m.max()].mean() for m, r in zip(maps, regions, strict=True)])


def counted(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    flat, inside = maps.reshape(len(maps), -1), regions.reshape(len(maps), -1)
    top = flat >= flat.max(axis=1)[:, None]
    return np.where(inside, top, False).sum(axis=1) / np.count_nonzero(top, axis=1)


def averaged(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    top = maps == maps.max(axis=(1, 2), keepdims=True)
    return np.array([np.average(r, weights=t) for r, t in zip(regions, top, strict=True)])


POINTING_GAME = Exercise(
    number="03.5",
    function=cam.pointing_game,
    reference=in_torch(cam.pointing_game),
    goal="Say for each map whether its strongest place lies in the region; ties share the point.",
    anchor="sec-cam-pointing",
    points=2,
    cases=pointing_cases,
    mistakes=[
        Mistake(
            _point("first_of_ties", _first),
            "you take the first of several equal places, so a flat map points at the top left "
            "corner; ties share the point",
        ),
        Mistake(
            _point("any_of_ties", _any),
            "one of several equal places inside is a full hit for you, so a flat map always wins; "
            "ties share the point",
        ),
        Mistake(
            _point("ties_miss", _best_inside),
            "you call a tie across the border a miss; ties share the point",
        ),
        Mistake(
            _point("magnitude", lambda m, r: _shared(np.abs(m), r)),
            "you point at the largest magnitude; evidence against the class is no hit",
        ),
        Mistake(_point("weakest", lambda m, r: _shared(-m, r)), "you point at the weakest place"),
        Mistake(
            _point("outside", lambda m, r: _shared(m, ~r)), "you count the misses, not the hits"
        ),
        Mistake(
            _point("accuracy", lambda m, r: np.full(len(m), _shared(m, r).mean())),
            "you return the mean over the batch; the answer is one score a map",
        ),
        Mistake(
            _point("whole_batch", lambda m, r: ((m == m.max()) & r).sum(axis=(1, 2)) * 1.0),
            "you look for the strongest place of the whole batch; every map has its own",
        ),
        Mistake(
            _point(
                "energy", lambda m, r: (np.abs(m) * r).sum(axis=(1, 2)) / np.abs(m).sum(axis=(1, 2))
            ),
            "you measure the share of the map's total; the pointing game asks for its peak",
        ),
    ],
    equivalents=[
        loops,
        counted,
        averaged,
        _point("single_precision", lambda m, r: _shared(m, r).astype(np.float32)),
    ],
    equivalent_mutants={
        "hits = (regions & strongest).sum(axis=(1, 2))": "both orders are the same",
    },
    hints=(
        "Make the map say where it points: every place as strong as the strongest one. Usually "
        "that is one place. If there are several, the map has not decided, and gets the share.",
        "strongest = (map == its own maximum); score = |strongest and region| / |strongest|.",
        "strongest = maps == maps.max(axis=(1, 2), keepdims=____)",
    ),
)


SPEC = ModuleSpec(
    number="03",
    name="cam",
    title="CAM: where the network looks",
    summary="A logit is an average over places. What stands there before it is averaged?",
    exercises=(
        GLOBAL_AVERAGE_POOL,
        CLASS_ACTIVATION_MAP,
        GRAD_CAM,
        UPSAMPLE_BILINEAR,
        POINTING_GAME,
    ),
)
