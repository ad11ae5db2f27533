"""EfficientNet-Lite0 (Tan and Le 2019; the Lite variant is Google's, for phones) in our engine.

A stem, sixteen inverted-residual blocks, a 1x1 head, global average pooling, one linear layer.
Batch normalisation is already folded into the convolutions. A block widens its input six times
(`expand`), looks at space one channel at a time (`dw`), and narrows again (`project`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from course import autograd as F
from course.autograd import Tensor
from course.data import data_file, imagenet_labels, load_arrays
from course.nn import Conv2d, Linear, Module, ReLU6


class Stage(NamedTuple):
    """Several like blocks; only the first of them has the stride."""

    repeat: int
    kernel: int
    stride: int
    expand: int
    out: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class SameConv2d(Conv2d):
    """Convolution with TensorFlow's "SAME" padding: ceil(n / stride) outputs, and where the border
    that this takes is odd, the larger half goes to the right and below."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.weight.shape[2], self.stride
        rows, columns = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:])
        padding = (rows // 2, columns // 2)
        if rows % 2 or columns % 2:
            top, left = padding
            x, padding = F.pad(x, (left, columns - left, top, rows - top)), (0, 0)
        return F.conv2d(x, self.weight, self.bias, stride, padding, groups=self.groups)


class InvertedResidual(Module):
    """expand (1x1), ReLU6, depthwise, ReLU6, project (1x1), plus the input where shapes agree."""

    def __init__(self, inputs: int, kernel: int, stride: int, expand: int, out: int) -> None:
        width = inputs * expand
        self.expand = SameConv2d(inputs, width, 1) if expand > 1 else None
        self.dw = SameConv2d(width, width, kernel, stride, groups=width)
        self.project = SameConv2d(width, out, 1)
        self.residual = stride == 1 and inputs == out

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.dw(y)))
        return x + y if self.residual else y


class EfficientNetLite0(Module):
    """Images (N, 3, H, W), scaled by `course.data.preprocess`, to 1000 ImageNet logits.

    Made for 224 px; any size from 32 px works, with less certainty the smaller it is.
    """

    def __init__(self) -> None:
        self.stem = SameConv2d(3, 32, 3, stride=2)
        inputs, blocks = 32, 0
        for stage in STAGES:
            for i in range(stage.repeat):
                stride = stage.stride if i == 0 else 1
                block = InvertedResidual(inputs, stage.kernel, stride, stage.expand, stage.out)
                setattr(self, f"b{blocks}", block)
                inputs, blocks = stage.out, blocks + 1
        self.blocks = blocks
        self.head = SameConv2d(inputs, 1280, 1)
        self.head_relu = ReLU6()
        self.fc = Linear(1280, 1000)

    def features(self, x: Tensor) -> Tensor:
        """The last feature maps, (N, 1280, H / 32, W / 32)."""
        x = F.relu6(self.stem(x))
        for i in range(self.blocks):
            x = getattr(self, f"b{i}")(x)
        return self.head_relu(self.head(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.mean(self.features(x), dim=(2, 3)))


def efficientnet_lite0() -> EfficientNetLite0:
    """The network with its shipped weights, trained on ImageNet-1k."""
    stored = load_arrays(data_file("efficientnet_lite0_fp16_folded.npz"))
    endings = {".w": ".weight", ".b": ".bias"}
    return EfficientNetLite0().load_state_dict(
        {key[:-2] + endings[key[-2:]]: value for key, value in stored.items()}
    )


def top5(logits: np.ndarray) -> list[list[tuple[str, float]]]:
    """The five likeliest ImageNet classes of each image: (name, probability), likeliest first.

    logits: an array (N, 1000).
    """
    if logits.ndim != 2 or logits.shape[1] != 1000:
        raise ValueError(f"logits must be (N, 1000), got shape {logits.shape}")
    labels = imagenet_labels()
    probabilities = F.softmax(Tensor(logits)).data
    order = np.argsort(-probabilities, axis=1)[:, :5]
    return [
        [(labels[i], float(p[i])) for i in best]
        for best, p in zip(order, probabilities, strict=True)
    ]
