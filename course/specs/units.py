"""02 units: receptive fields, top patches, activation maximisation, foveation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from course.autograd import Tensor, conv2d, grad, softmax
from course.grading.spec import Case, Exercise, Mistake, ModuleSpec, Network
from course.methods import units
from course.methods.protocol import Model, Target
from course.specs._protocol import HAND, HAND_INPUT, MANNERS, in_torch, telling_targets

Layers = Sequence[Sequence[int]]

# --- 02.1 receptive_field ------------------------------------------------------------------


def field_cases(rng: np.random.Generator) -> list[Case]:
    # Sizes 1 -> 5 -> 6 -> 14: after the pooling one step is two pixels, so the second kernel of 5
    # adds 4 * 2. The padding of 2 moves the start by 2, and after the pooling by 2 * 2.
    digits = ((5, 1, 2), (2, 2, 0), (5, 1, 2))
    drawn = [
        np.column_stack([rng.integers(1, 6, n), rng.integers(1, 4, n), rng.integers(0, 3, n)])
        for n in (3, 4)
    ]
    return [
        Case("hand", {"layers": digits}, expected=np.array([14, 2, -6])),
        Case("one layer", {"layers": ((7, 3, 1),)}),
        Case("strides at the end", {"layers": ((3, 1, 0), (5, 2, 1), (4, 3, 2))}),
        *(
            Case(f"{len(rows)} layers", {"layers": tuple(map(tuple, rows.tolist()))})
            for rows in drawn
        ),
    ]


def _field(
    name: str, step: Callable[[int, int, int, int, int, int], tuple[Any, Any, Any]]
) -> Callable[[Layers], np.ndarray]:
    """An answer that goes through the layers and updates (size, jump, start) by `step`."""

    def answer(layers: Layers) -> np.ndarray:
        size, jump, start = 1, 1, 0
        for kernel, stride, padding in layers:
            size, jump, start = step(size, jump, start, kernel, stride, padding)
        return np.array([size, jump, start])

    answer.__name__ = name
    return answer


def from_the_top(layers: Layers) -> np.ndarray:
    return units.receptive_field(tuple(layers)[::-1])


def centre_of_field(layers: Layers) -> np.ndarray:
    size, jump, start = units.receptive_field(layers)
    return np.array([size, jump, start + (size - 1) / 2])


def interval(layers: Layers) -> np.ndarray:
    """Follow the first two units' fields back to the input, layer by layer."""
    first, last, following = 0, 0, 1
    for kernel, stride, padding in reversed(layers):
        first, following = first * stride - padding, following * stride - padding
        last = last * stride - padding + kernel - 1
    return np.array([last - first + 1, following - first, first])


def recursion(layers: Layers) -> np.ndarray:
    if not len(layers):
        return np.array([1.0, 1.0, 0.0])
    size, jump, start = recursion(layers[:-1])
    kernel, stride, padding = layers[-1]
    return np.array([size + (kernel - 1) * jump, jump * stride, start - padding * jump])


def products(layers: Layers) -> np.ndarray:
    kernel, stride, padding = np.array(layers).T
    jumps = np.concatenate([[1], np.cumprod(stride)])
    return np.array(
        [1 + ((kernel - 1) * jumps[:-1]).sum(), jumps[-1], -(padding * jumps[:-1]).sum()]
    )


def single_precision_field(layers: Layers) -> np.ndarray:
    return units.receptive_field(layers).astype(np.float32)


RECEPTIVE_FIELD = Exercise(
    number="02.1",
    function=units.receptive_field,
    reference=in_torch(units.receptive_field),
    goal="Work out which pixels a unit can see: how many, how far those of its neighbour are "
    "shifted, and where those of the first unit begin.",
    anchor="sec-units-receptive-field",
    points=2,
    cases=field_cases,
    mistakes=[
        Mistake(
            _field(
                "stride_too_early",
                lambda size, jump, start, k, s, p: (
                    size + (k - 1) * jump * s,
                    jump * s,
                    start - p * jump * s,
                ),
            ),
            "you multiply the jump by the layer's stride before using it; a kernel steps over its "
            "own input, whose jump is that of the layers below",
        ),
        Mistake(
            _field(
                "kernels_added",
                lambda size, jump, start, k, s, p: (size + k - 1, jump * s, start - p * jump),
            ),
            "your size grows by k - 1 in every layer; after a stride one step is several pixels, "
            "so it grows by (k - 1) * jump",
        ),
        Mistake(
            _field(
                "whole_kernel",
                lambda size, jump, start, k, s, p: (size + k * jump, jump * s, start - p * jump),
            ),
            "your size grows by k * jump; the first of the k positions is already in it, "
            "so by (k - 1) * jump",
        ),
        Mistake(
            _field(
                "kernels_multiplied",
                lambda size, jump, start, k, s, p: (size * k, jump * s, start - p * jump),
            ),
            "you multiply the sizes of the kernels; windows overlap, so their reach adds up",
        ),
        Mistake(
            _field(
                "strides_added",
                lambda size, jump, start, k, s, p: (
                    size + (k - 1) * jump,
                    jump + s - 1,
                    start - p * jump,
                ),
            ),
            "you add up the strides; two strides of 2 make a jump of 4",
        ),
        Mistake(
            _field(
                "padding_in_pixels",
                lambda size, jump, start, k, s, p: (size + (k - 1) * jump, jump * s, start - p),
            ),
            "you count a layer's padding in pixels; a padding of 1 after a stride of 2 is 2 pixels",
        ),
        Mistake(
            _field(
                "start_inwards",
                lambda size, jump, start, k, s, p: (
                    size + (k - 1) * jump,
                    jump * s,
                    start + p * jump,
                ),
            ),
            "your start moves into the image; padding puts it before the first pixel",
        ),
        Mistake(
            _field(
                "no_padding",
                lambda size, jump, start, k, s, p: (size + (k - 1) * jump, jump * s, start),
            ),
            "you leave the padding out; the first unit's field begins in it",
        ),
        Mistake(from_the_top, "you go through the layers from the last to the first"),
        Mistake(
            centre_of_field,
            "your third number is the centre of the first field; start is its first pixel",
        ),
    ],
    equivalents=[interval, recursion, products, single_precision_field],
    hints=(
        "Go through the layers as the image does. Before the first layer a unit is a pixel: it "
        "sees one pixel, and its neighbour sees the next. Ask of each layer what it does to how "
        "much is seen, to the distance of neighbours, and to where the first field begins.",
        "size <- size + (k - 1) * jump, start <- start - p * jump, jump <- s * jump; the first two "
        "with the jump of the layer's input.",
        "size += (kernel - 1) * ____; start -= ____ * jump; and last: jump *= ____",
    ),
)


# --- 02.2 top_patches ----------------------------------------------------------------------


def patch_cases(rng: np.random.Generator) -> list[Case]:
    # The channel is strongest at row 0, column 1 of the first image. With a kernel of 3, stride 2
    # and padding 1 that unit sees rows -1 to 1 and columns 1 to 3.
    images = np.arange(1.0, 33.0).reshape(2, 1, 4, 4)
    maps = np.array([[[0.1, 0.9], [0.3, 0.2]], [[0.5, 0.4], [0.8, 0.6]]])
    hand = {"images": images, "activations": maps, "field": np.array([3, 2, -1]), "count": 1}
    by_hand = np.array([[[[0.0, 0, 0], [2, 3, 4], [6, 7, 8]]]])
    x = rng.normal(size=(7, 3, 9, 12))
    # Strong at the edges, where fields lie partly outside; some negative ones are the largest.
    maps = rng.normal(size=(7, 4, 5))
    maps[:, 1:-1, 1:-1] *= 0.3
    maps[3] -= 2
    wide = {"images": x, "activations": maps, "field": np.array([6, 2, -3]), "count": 4}
    inner = {**wide, "field": np.array([2, 2, 1]), "count": 3}
    # The last unit's field begins behind the last pixel.
    far = {**wide, "field": np.array([4, 3, 0]), "count": 7}
    return [
        Case("hand", hand, expected=by_hand),
        Case("wide fields", wide),
        Case("small fields", inner),
        Case("every image", far),
    ]


def _patches(
    name: str,
    score: Callable[[np.ndarray], np.ndarray] = lambda a: a,
    rank: Callable[[np.ndarray], np.ndarray] = lambda a: a.max(axis=(1, 2)),
    corner: Callable[[int, int, int, int], int] = lambda i, size, jump, start: start + jump * i,
    chosen: Callable[[np.ndarray, int], np.ndarray] = lambda r, count: np.argsort(-r)[:count],
    swap: bool = False,
    mode: str = "constant",
    inside: bool = False,
) -> Callable[..., np.ndarray]:
    """An answer with one of its steps done otherwise."""

    def answer(
        images: np.ndarray, activations: np.ndarray, field: np.ndarray, count: int
    ) -> np.ndarray:
        size, jump, start = (int(v) for v in field)
        scores, limits = score(activations), np.array(images.shape[2:]) - size
        patches = []
        for n in chosen(rank(scores), count):
            at = np.unravel_index(scores[n].argmax(), scores[n].shape)
            low = np.array([corner(int(i), size, jump, start) for i in at])
            low = np.clip(low, 0, limits) if inside else low
            top, left = low[::-1] if swap else low
            border = 3 * size
            spread = ((0, 0), (border, border), (border, border))
            padded = np.pad(images[n], spread, mode)  # type: ignore[call-overload]
            rows = slice(top + border, top + border + size)
            patches.append(padded[:, rows, left + border : left + border + size])
        return np.stack(patches)

    answer.__name__ = name
    return answer


def repeated_images(
    images: np.ndarray, activations: np.ndarray, field: np.ndarray, count: int
) -> np.ndarray:
    best = np.argsort(-activations.ravel())[:count]
    n, rows, columns = np.unravel_index(best, activations.shape)
    # One map for each of the strongest positions, with that position marked.
    marked = np.zeros((count, *activations.shape[1:]))
    marked[np.arange(count), rows, columns] = np.arange(count, 0, -1)
    return units.top_patches(images[n], marked, field, count)


def cut_by_index(
    images: np.ndarray, activations: np.ndarray, field: np.ndarray, count: int
) -> np.ndarray:
    size, jump, start = field
    n, _, w = activations.shape
    peak = activations.reshape(n, -1).argmax(axis=1)
    order = np.argsort(activations.reshape(n, -1).max(axis=1))[::-1][:count]
    rows = (start + jump * (peak[order] // w))[:, None] + np.arange(size)
    columns = (start + jump * (peak[order] % w))[:, None] + np.arange(size)
    height, width = images.shape[2:]
    valid_rows = (rows >= 0) & (rows < height)
    valid = valid_rows[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    cut = images[order[:, None, None], :, rows[:, :, None] % height, columns[:, None] % width]
    return np.moveaxis(cut * valid[..., None], -1, 1)


def pixel_by_pixel(
    images: np.ndarray, activations: np.ndarray, field: np.ndarray, count: int
) -> np.ndarray:
    size, jump, start = field
    ranked = sorted(range(len(images)), key=lambda n: -activations[n].max())[:count]
    out = np.zeros((count, images.shape[1], size, size))
    for k, n in enumerate(ranked):
        row, column = np.argwhere(activations[n] == activations[n].max())[0]
        for i in range(size):
            for j in range(size):
                y, x = start + jump * row + i, start + jump * column + j
                if 0 <= y < images.shape[2] and 0 <= x < images.shape[3]:
                    out[k, :, i, j] = images[n, :, y, x]
    return out


def single_precision_patches(
    images: np.ndarray, activations: np.ndarray, field: np.ndarray, count: int
) -> np.ndarray:
    return units.top_patches(images, activations, field, count).astype(np.float32)


TOP_PATCHES = Exercise(
    number="02.2",
    function=units.top_patches,
    reference=in_torch(units.top_patches),
    goal="Find the patches that excite a channel most, one from an image, and cut out exactly "
    "what the unit sees.",
    anchor="sec-units-top-patches",
    points=3,
    cases=patch_cases,
    mistakes=[
        Mistake(
            repeated_images,
            "you take the strongest positions of all, so that one image comes several times; take "
            "each image's strongest position first",
        ),
        Mistake(
            _patches("weakest", chosen=lambda r, count: np.argsort(r)[:count]),
            "you return the weakest images; sort by the negative",
        ),
        Mistake(
            _patches("image_order", chosen=lambda r, count: np.sort(np.argsort(-r)[:count])),
            "the patches are right, but in the order of the images; the strongest comes first",
        ),
        Mistake(
            _patches("strongest_last", chosen=lambda r, count: np.argsort(r)[-count:]),
            "the patches are right, but the strongest comes last; it comes first",
        ),
        Mistake(
            _patches("ranked_by_mean", rank=lambda a: a.mean(axis=(1, 2))),
            "you rank images by the mean of the map; rank them by its maximum",
        ),
        Mistake(
            _patches("magnitudes", score=np.abs),
            "you look for the largest magnitude; a strongly negative unit is not excited",
        ),
        Mistake(
            _patches("no_start", corner=lambda i, size, jump, start: jump * i),
            "you leave out the start; with padding the first field begins before the image",
        ),
        Mistake(
            _patches("no_jump", corner=lambda i, size, jump, start: start + i),
            "you use the unit's position as if it were a pixel's; neighbouring units are `jump` "
            "pixels apart",
        ),
        Mistake(
            _patches("centred", corner=lambda i, size, jump, start: jump * i - size // 2),
            "you centre the patch on pixel jump * i; it begins at start + jump * i",
        ),
        Mistake(
            _patches("start_scaled", corner=lambda i, size, jump, start: jump * (start + i)),
            "you multiply the start by the jump; it is in pixels already",
        ),
        Mistake(_patches("swapped", swap=True), "you swap rows and columns of the position"),
        Mistake(
            _patches("moved_inside", inside=True),
            "you move patches that reach beyond the image inside; what lies outside is zero",
        ),
        Mistake(
            _patches("edge_repeated", mode="edge"),
            "you repeat the image's edge outside; what lies outside is zero",
        ),
    ],
    equivalents=[_patches("wider_border"), cut_by_index, pixel_by_pixel, single_precision_patches],
    hints=(
        "Three steps: where in each image the channel is strongest, which images are strongest, "
        "and what the unit at that place sees. The unit at row i begins at pixel start + jump * i, "
        "which may lie outside the image.",
        "order = argsort of -max over (h, w); of image n, (i, j) = unravel_index(argmax). Surround "
        "the image with `size` zeros, and every field lies inside.",
        "padded[:, size + start + jump * i : ____ , ____ : ____ ] for n in order[:count]",
    ),
)


# --- 02.3 activation_maximization ----------------------------------------------------------


def ascent_cases(rng: np.random.Generator) -> list[Case]:
    # The gradient of S_1 is (3, -7, 4, -2) and that of V, from the differences -2 and 1 of the two
    # channels, (2, -2, -1, 1). Together (1, -5, 5, -3), 3.5 in the mean: at a rate of 0.7 the step
    # is (0.2, -1, 1, -0.6).
    hand = {
        "model": HAND,
        "x": HAND_INPUT,
        "target": 1,
        "shifts": np.zeros((1, 2), int),
        "rate": 0.7,
        "smoothness": 1.0,
        "bounds": (0.0, 3.0),
    }
    network = Network("small_cnn", seed=int(rng.integers(1 << 31)))
    x = rng.uniform(0.1, 0.9, size=(4, 3, 8, 6))
    batch = {
        "model": network,
        "x": x,
        "target": telling_targets(network, x, rng),
        "shifts": np.array([[1, 2], [-3, 1]]),
        "rate": 0.08,
        "smoothness": 0.05,
        "bounds": (0.0, 1.0),
    }
    still_twice = np.zeros((2, 2), int)
    # Both hidden units are off: there is no gradient, and no way to go.
    silent = np.array([[[[-1.0, 0.0]], [[-1.0, 0.0]]]])
    still = {**hand, "x": silent, "smoothness": 0.0, "bounds": (-2.0, 2.0)}
    return [
        Case("hand", hand, expected=np.array([[[[3.0, 0.0]], [[2.0, 1.4]]]])),
        Case("batch", batch),
        Case("defaults", {"model": network, "x": x[:2], "target": 3, "shifts": still_twice}),
        Case("silent unit", still, expected=silent),
    ]


def _own_mean(g: np.ndarray) -> np.ndarray:
    return g / (np.abs(g).mean(axis=(1, 2, 3), keepdims=True) + 1e-12)


def _squares(x: Tensor) -> Tensor:
    return (((x[:, :, 1:] - x[:, :, :-1]) ** 2).sum() + ((x[..., 1:] - x[..., :-1]) ** 2).sum()) / 2


def _pick(logits: Tensor, target: Target) -> Tensor:
    return logits[np.arange(len(logits)), target].sum()


def _ascent(
    name: str,
    score: Callable[[Tensor, Target], Tensor] = _pick,
    roughness: Callable[[Tensor], Tensor] = _squares,
    scaled: Callable[[np.ndarray], np.ndarray] = _own_mean,
    forth: int = 1,
    back: int = -1,
    clip: Callable[..., np.ndarray] = np.clip,
    last: Callable[..., np.ndarray] = lambda x, *bounds: x,
    sign: float = -1.0,
    slopes_at_start: bool = False,
    axes: tuple[int, int] = (2, 3),
) -> Callable[..., np.ndarray]:
    """An answer with one of its steps done otherwise."""

    def answer(
        model: Model,
        x: np.ndarray,
        target: Target,
        shifts: np.ndarray,
        rate: float = 0.1,
        smoothness: float = 0.0,
        bounds: tuple[float, float] = (0.0, 1.0),
    ) -> np.ndarray:
        start = x
        for shift in np.array(shifts):
            seen = start if slopes_at_start else x
            inputs = Tensor(np.roll(seen, forth * shift, axis=axes), requires_grad=True)
            total = score(model(inputs), target) + sign * smoothness * roughness(inputs)
            step = np.roll(scaled(grad(total, inputs)), back * shift, axis=axes)
            x = clip(x + rate * step, *bounds)
        return last(x, *bounds)

    answer.__name__ = name
    return answer


def _unclipped(x: np.ndarray, *bounds: float) -> np.ndarray:
    return x


def _absolute(x: Tensor) -> Tensor:
    return (x[:, :, 1:] - x[:, :, :-1]).abs().sum() + (x[..., 1:] - x[..., :-1]).abs().sum()


def each_image_alone(
    model: Model, x: np.ndarray, target: Target, shifts: np.ndarray, **options: Any
) -> np.ndarray:
    targets = np.broadcast_to(target, len(x))
    return np.concatenate(
        [
            units.activation_maximization(model, x[i : i + 1], int(c), shifts, **options)
            for i, c in enumerate(targets)
        ]
    )


def slope_of_roughness_by_hand(
    model: Model,
    x: np.ndarray,
    target: Target,
    shifts: np.ndarray,
    rate: float = 0.1,
    smoothness: float = 0.0,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    x = x.copy()
    for down, right in shifts:
        rolled = np.roll(np.roll(x, down, 2), right, 3)
        inputs = Tensor(rolled, requires_grad=True)
        _pick(model(inputs), target).backward()
        assert inputs.grad is not None
        g = inputs.grad.copy()
        for axis in (2, 3):
            # Each difference pulls its two pixels together.
            difference = smoothness * np.diff(rolled, axis=axis)
            g += np.pad(difference, [(0, int(a == axis)) for a in range(4)])
            g -= np.pad(difference, [(int(a == axis), 0) for a in range(4)])
        size = np.abs(g).reshape(len(x), -1).mean(axis=1)[:, None, None, None]
        g = np.divide(g, size, out=np.zeros_like(g), where=size > 0)
        x += rate * np.roll(np.roll(g, -down, 2), -right, 3)
        x = np.minimum(np.maximum(x, bounds[0]), bounds[1])
    return x


def single_precision_ascent(model: Model, x: np.ndarray, **options: Any) -> np.ndarray:
    return units.activation_maximization(model, x, **options).astype(np.float32)


ACTIVATION_MAXIMIZATION = Exercise(
    number="02.3",
    function=units.activation_maximization,
    reference=in_torch(units.activation_maximization),
    goal="Climb from given images to images that excite a unit more, with jitter, smoothness and "
    "bounds.",
    anchor="sec-units-activation-maximization",
    points=4,
    cases=ascent_cases,
    properties=MANNERS,
    mistakes=[
        Mistake(
            _ascent("descent", scaled=lambda g: -_own_mean(g)),
            "you go downhill, as in training; here the activation is to grow",
        ),
        Mistake(
            _ascent("raw_gradient", scaled=lambda g: g),
            "you step along the raw gradient; divide it by the mean of its magnitudes",
        ),
        Mistake(
            _ascent("batch_mean", scaled=lambda g: g / (np.abs(g).mean() + 1e-12)),
            "you divide by the mean over the whole batch; each image has its own",
        ),
        Mistake(
            _ascent(
                "largest",
                scaled=lambda g: g / (np.abs(g).max(axis=(1, 2, 3), keepdims=True) + 1e-12),
            ),
            "you divide by the largest magnitude; the definition divides by the mean",
        ),
        Mistake(
            _ascent(
                "root_mean_square",
                scaled=lambda g: g / (np.sqrt((g**2).mean((1, 2, 3), keepdims=True)) + 1e-12),
            ),
            "you divide by the root mean square; the definition divides by the mean of |g|",
        ),
        Mistake(
            _ascent("signs", scaled=np.sign),
            "you step by the gradient's sign; pixels that matter more move more",
        ),
        Mistake(
            _ascent("not_rolled_back", back=0),
            "you roll the image but not the step back, so every step lands elsewhere",
        ),
        Mistake(
            _ascent("rolled_on", back=1),
            "you roll the step further instead of back",
        ),
        Mistake(
            _ascent("no_jitter", forth=0, back=0),
            "you use shifts for the number of steps only; roll the image before the gradient and "
            "the step back after it",
        ),
        Mistake(
            _ascent("axes_swapped", axes=(3, 2)),
            "you roll columns by the first number of a shift; it is for rows",
        ),
        Mistake(
            _ascent("unbounded", clip=_unclipped),
            "pixels leave the bounds; clip after each step",
        ),
        Mistake(
            _ascent("clipped_at_the_end", clip=_unclipped, last=np.clip),
            "you clip once at the end; clip after each step, else the path is another",
        ),
        Mistake(
            _ascent("rough", sign=1.0),
            "you reward roughness; it is to be subtracted",
        ),
        Mistake(
            _ascent("no_smoothness", sign=0.0),
            "you leave out the roughness term",
        ),
        Mistake(
            _ascent("absolute_differences", roughness=_absolute),
            "you take absolute differences (total variation with β = 1); here they are squared and "
            "halved",
        ),
        Mistake(
            _ascent("not_halved", sign=-2.0),
            "your roughness is the sum of squares; V is half of it",
        ),
        Mistake(
            _ascent("probability", score=lambda s, target: _pick(softmax(s), target)),
            "you raise the softmax probability, which also grows when the others fall; raise the "
            "unit's own activation",
        ),
        Mistake(
            _ascent("every_target", score=lambda s, target: s[:, target].sum()),
            "you take every target for every image, as activations[:, target] does; pair image i "
            "with target[i]",
        ),
        Mistake(
            _ascent("slopes_at_start", slopes_at_start=True),
            "you take the gradient at the first image in every step; take it where you are",
        ),
    ],
    equivalents=[
        _ascent("same_steps"),
        each_image_alone,
        slope_of_roughness_by_hand,
        single_precision_ascent,
    ],
    equivalent_mutants={
        line: why
        for lines, why in (
            (
                (
                    "down = -(inputs[:, :, 1:] - inputs[:, :, :-1])",
                    "down = inputs[:, :, :-1] - inputs[:, :, 1:]",
                    "across = -(inputs[..., 1:] - inputs[..., :-1])",
                    "across = inputs[..., :-1] - inputs[..., 1:]",
                ),
                "the differences are squared",
            ),
            (
                ("g = g / (np.abs(g).mean(axis=(1, 2, 3), keepdims=True) - 1e-12)",),
                "a trillionth only keeps 0 / 0 away",
            ),
        )
        for line in lines
    },
    hints=(
        "It is training with the roles exchanged: the weights stand still, the image takes the "
        "steps, and it goes up instead of down. In each step: roll, differentiate, scale, roll the "
        "step back, move, clip.",
        "x <- clip(x + rate * g / mean|g|), g the gradient of Σ_n a_{n, target[n]} - smoothness V "
        "at the rolled image; the mean over (C, H, W), one for each image.",
        "g = grad(score - smoothness * ____, inputs); "
        "x = np.clip(x + rate * np.roll(g, ____, axis=(2, 3)), *bounds)",
    ),
)


# --- 02.4 foveation ------------------------------------------------------------------------


def foveation_cases(rng: np.random.Generator) -> list[Case]:
    # A corner is under 2 x 2 of the windows, an edge under 2 x 3.
    by_hand = np.array([[4, 6, 6, 4], [6, 9, 9, 6], [4, 6, 6, 4]])
    height, width = (int(n) for n in rng.integers(6, 9, 2))
    given = {"shape": (height, width + 3), "kernel": 3, "stride": 1, "padding": 1}
    zeros = {**given, "mode": "constant"}
    return [
        Case("hand", {**zeros, "shape": (3, 4)}, expected=by_hand),
        Case("defaults", {"shape": (height, width), "kernel": 2}),
        # The windows stop before the last row, so the last pixels are never used.
        Case("no padding", {**zeros, "shape": (8, 9), "stride": 2, "padding": 0}),
        Case("stride 2", {**zeros, "shape": (8, 11), "stride": 2}),
        Case("one side", {**zeros, "shape": (8, 10), "stride": 2, "padding": ((0, 1), (0, 1))}),
        Case("four sides", {**zeros, "kernel": 4, "padding": ((0, 1), (3, 2))}),
        Case("reflect", {**given, "mode": "reflect"}),
        Case("symmetric", {**given, "kernel": 5, "padding": 2, "mode": "symmetric"}),
        Case("edge", {**given, "kernel": 5, "padding": 2, "stride": 2, "mode": "edge"}),
        Case("wrap", {**given, "kernel": 5, "padding": 2, "mode": "wrap"}),
    ]


def _windows(
    shape: Any, kernel: int, stride: int = 1, padding: Any = 0, mode: str = "constant"
) -> np.ndarray:
    number = 1 + np.arange(shape[0] * shape[1]).reshape(shape)
    padded = np.pad(number, padding, mode)  # type: ignore[call-overload]
    return sliding_window_view(padded, (kernel, kernel))[::stride, ::stride]


def _foveation(
    name: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> Callable[..., np.ndarray]:
    """The right answer to another question."""

    def answer(**given: Any) -> np.ndarray:
        return units.foveation(**change(given))

    answer.__name__ = name
    return answer


def _afterwards(
    name: str, change: Callable[[np.ndarray, int], np.ndarray]
) -> Callable[..., np.ndarray]:
    """The right answer, spoilt; `change` also gets the kernel."""

    def answer(**given: Any) -> np.ndarray:
        return change(units.foveation(**given), given["kernel"])

    answer.__name__ = name
    return answer


def mirrors_mixed_up(mode: str = "constant", **given: Any) -> np.ndarray:
    other = {"reflect": "symmetric", "symmetric": "reflect"}
    return units.foveation(**given, mode=other.get(mode, mode))


def sides_swapped(padding: Any = 0, **given: Any) -> np.ndarray:
    rows, columns = np.broadcast_to(padding, (2, 2)).tolist()
    return units.foveation(**given, padding=(columns, rows))


def ends_swapped(padding: Any = 0, **given: Any) -> np.ndarray:
    rows, columns = np.broadcast_to(padding, (2, 2)).tolist()
    return units.foveation(**given, padding=(rows[::-1], columns[::-1]))


def with_padding(
    shape: tuple[int, int], kernel: int, stride: int = 1, padding: Any = 0, mode: str = "constant"
) -> np.ndarray:
    height, width = (
        n + sum(b) for n, b in zip(shape, np.broadcast_to(padding, (2, 2)), strict=True)
    )
    return units.foveation((height, width), kernel, stride)


def pixels_in_window(**given: Any) -> np.ndarray:
    return (_windows(**given) > 0).sum(axis=(2, 3))


def rows_plus_columns(**given: Any) -> np.ndarray:
    counts = units.foveation(**given)
    rows, columns = counts.max(axis=1, keepdims=True), counts.max(axis=0, keepdims=True)
    return rows + columns


def window_corners(**given: Any) -> np.ndarray:
    first = _windows(**given)[..., 0, 0].ravel()
    height, width = given["shape"]
    return np.bincount(first, minlength=1 + height * width)[1:].reshape(height, width)


def adjoint_of_ones(
    shape: tuple[int, int],
    kernel: int,
    stride: int = 1,
    padding: Any = 0,
    mode: str = "constant",
) -> np.ndarray:
    """The gradient of the sum of the outputs; the padding is a table of which pixel is where."""
    x = Tensor(np.zeros(shape), requires_grad=True)
    number = np.arange(shape[0] * shape[1]).reshape(shape)
    inside = np.pad(np.ones(shape), padding, mode)  # type: ignore[call-overload]
    table = np.pad(number, padding, mode)  # type: ignore[call-overload]
    padded = x.reshape(-1)[table.ravel()].reshape(table.shape) * inside
    ones = Tensor(np.ones((1, 1, kernel, kernel)))
    return grad(conv2d(padded.reshape(1, 1, *table.shape), ones, stride=stride).sum(), x)


def windows_by_loop(
    shape: tuple[int, int],
    kernel: int,
    stride: int = 1,
    padding: Any = 0,
    mode: str = "constant",
) -> np.ndarray:
    number = np.pad(1 + np.arange(shape[0] * shape[1]).reshape(shape), padding, mode)  # type: ignore[call-overload]
    counts = np.zeros(1 + shape[0] * shape[1])
    for i in range(0, number.shape[0] - kernel + 1, stride):
        for j in range(0, number.shape[1] - kernel + 1, stride):
            np.add.at(counts, number[i : i + kernel, j : j + kernel], 1)
    return counts[1:].reshape(shape)


def rows_times_columns(
    shape: tuple[int, int],
    kernel: int,
    stride: int = 1,
    padding: Any = 0,
    mode: str = "constant",
) -> np.ndarray:
    """Rows and columns are counted each by itself: windows are products of intervals."""
    axes = []
    for n, border in zip(shape, np.broadcast_to(padding, (2, 2)).tolist(), strict=True):
        number = np.pad(np.arange(1, n + 1), border, mode)  # type: ignore[call-overload]
        windows = sliding_window_view(number, kernel)[::stride]
        axes.append([(windows == i).sum() for i in range(1, n + 1)])
    return np.outer(axes[0], axes[1])


def one_pixel_a_time(**given: Any) -> np.ndarray:
    windows, (height, width) = _windows(**given), given["shape"]
    counts = [np.count_nonzero(windows == i) for i in range(1, height * width + 1)]
    return np.reshape(counts, (height, width)).astype(np.float32)


FOVEATION = Exercise(
    number="02.4",
    function=units.foveation,
    reference=in_torch(units.foveation),
    goal="Count how often a convolution uses each pixel, for any stride and any kind of padding.",
    anchor="sec-units-foveation",
    points=3,
    cases=foveation_cases,
    mistakes=[
        Mistake(
            _foveation("no_stride", lambda a: {**a, "stride": 1}),
            "you leave out the stride; take every stride-th window only",
        ),
        Mistake(
            _foveation("no_padding", lambda a: {**a, "padding": 0}),
            "you leave out the padding; it lets windows hang over the edge",
        ),
        Mistake(
            _foveation("zeros_whatever", lambda a: {**a, "mode": "constant"}),
            "you count only pixels inside; with this padding the border holds copies of them, and "
            "a use of the copy is a use of the pixel",
        ),
        Mistake(
            mirrors_mixed_up,
            "you mix up the two mirrors: symmetric repeats the edge pixel, reflect does not",
        ),
        Mistake(sides_swapped, "you swap rows and columns of the padding"),
        Mistake(ends_swapped, "you swap before and after: padding is ((top, bottom), ...)"),
        Mistake(
            with_padding, "you count the padding's pixels too; the answer has the input's shape"
        ),
        Mistake(
            pixels_in_window,
            "you count the pixels of each window; count the windows of each pixel",
        ),
        Mistake(window_corners, "you count where windows begin; a window uses all of its pixels"),
        Mistake(
            _afterwards("used_or_not", lambda counts, k: (counts > 0).astype(float)),
            "you say whether a pixel is used; the question is how often",
        ),
        Mistake(
            _afterwards("share_of_kernel", lambda counts, k: counts / k**2),
            "you divide by the number of weights; return the counts",
        ),
        Mistake(
            rows_plus_columns,
            "you add the counts of rows and of columns; each pair is a window, so they multiply",
        ),
    ],
    equivalents=[adjoint_of_ones, windows_by_loop, rows_times_columns, one_pixel_a_time],
    hints=(
        "Give every pixel a number, and pad the picture of numbers: then it is plain to see which "
        "pixel stands where in the border. What is left is counting how often each number occurs "
        "in the windows.",
        "Count from 1, so that 0 means the border of zeros. sliding_window_view(padded, (k, k)) "
        "holds all windows; [::stride, ::stride] keeps those that the convolution takes.",
        "np.bincount(windows.ravel(), minlength=____)[1:].reshape(____)",
    ),
)


SPEC = ModuleSpec(
    number="02",
    name="units",
    title="Units: what a neuron looks for",
    summary="Look at what excites a unit, draw what would excite it more, and find out how much of "
    "the answer is the unit's.",
    exercises=(RECEPTIVE_FIELD, TOP_PATCHES, ACTIVATION_MAXIMIZATION, FOVEATION),
)
