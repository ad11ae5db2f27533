"""The networks of `course.models`, written a second time as Torch modules.

Names of networks and of parameters agree, and nothing else is shared.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from course.reference.networks_text import (
    HandAttention,
    MiniLM,
    SmallTransformer,
    TextAttention,
    TextCNN,
)


class HandNetwork(nn.Module):
    """(N, 2, 1, 2) to three logits."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(4, 2, bias=False)
        self.fc2 = nn.Linear(2, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


class SmallText(nn.Module):
    """(N, T, 4) to three logits."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(4, 6)
        self.fc2 = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.tanh(self.fc1(x)).mean(dim=1))


class HandPooled(nn.Module):
    """(N, 1, H, W) to three logits, through an average."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, kernel_size=1, bias=False)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.conv(x)).flatten(2).mean(-1))


def small_cnn() -> nn.Module:
    """(N, 3, 8, 6) to five logits."""
    return nn.Sequential(
        nn.Conv2d(3, 6, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(96, 5),
    )


def mnist_mlp() -> nn.Module:
    """(N, 1, 28, 28) to ten logits."""
    layers = OrderedDict(
        flatten=nn.Flatten(),
        fc1=nn.Linear(784, 128),
        relu1=nn.ReLU(),
        fc2=nn.Linear(128, 64),
        relu2=nn.ReLU(),
        fc3=nn.Linear(64, 10),
    )
    return nn.Sequential(layers)


def mnist_cnn() -> nn.Module:
    """(N, 1, 28, 28) to ten logits."""
    layers = OrderedDict(
        conv1=nn.Conv2d(1, 16, kernel_size=5, padding="same"),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(16, 32, kernel_size=5, padding="same"),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(1568, 64),
        relu3=nn.ReLU(),
        fc2=nn.Linear(64, 10),
    )
    return nn.Sequential(layers)


def mnist_gap() -> nn.Module:
    """(N, 1, H, W) to ten logits, through an average."""
    layers = OrderedDict(
        conv1=nn.Conv2d(1, 8, kernel_size=5, stride=2, padding=2),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(8, 24, kernel_size=3, padding=1),
        relu2=nn.ReLU(),
        conv3=nn.Conv2d(24, 48, kernel_size=3, padding=1),
        relu3=nn.ReLU(),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(48, 10),
    )
    return nn.Sequential(layers)


class SameConv2d(nn.Conv2d):
    """TensorFlow's SAME padding: the odd pixel goes below and to the right."""

    def forward(self, x: Tensor) -> Tensor:
        border: list[int] = []
        # pad wants the last dimension first.
        for i in (1, 0):
            size, step = x.shape[2 + i], self.stride[i]
            covered = (size + step - 1) // step * step - step
            total = max(covered + self.kernel_size[i] - size, 0)
            border += [total // 2, total - total // 2]
        return super().forward(nn.functional.pad(x, border))


class MBConv(nn.Module):
    """An inverted residual block (Sandler et al. 2018)."""

    def __init__(
        self, cin: int, cout: int, kernel: int, stride: int, ratio: int
    ) -> None:
        super().__init__()
        mid = cin * ratio
        if ratio != 1:
            self.expand = SameConv2d(cin, mid, 1)
        self.dw = SameConv2d(mid, mid, kernel, stride, groups=mid)
        self.project = SameConv2d(mid, cout, 1)
        self.skip = cin == cout and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        h = x
        if "expand" in self._modules:
            h = nn.functional.relu6(self.expand(h))
        h = self.project(nn.functional.relu6(self.dw(h)))
        return h + x if self.skip else h


# in, out, kernel, stride, expansion of each of the sixteen blocks
MBCONVS = (
    (32, 16, 3, 1, 1),
    (16, 24, 3, 2, 6),
    (24, 24, 3, 1, 6),
    (24, 40, 5, 2, 6),
    (40, 40, 5, 1, 6),
    (40, 80, 3, 2, 6),
    (80, 80, 3, 1, 6),
    (80, 80, 3, 1, 6),
    (80, 112, 5, 1, 6),
    (112, 112, 5, 1, 6),
    (112, 112, 5, 1, 6),
    (112, 192, 5, 2, 6),
    (192, 192, 5, 1, 6),
    (192, 192, 5, 1, 6),
    (192, 192, 5, 1, 6),
    (192, 320, 3, 1, 6),
)


def efficientnet_lite0() -> nn.Module:
    """(N, 3, H, W) to 1000 logits."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["stem"] = SameConv2d(3, 32, 3, stride=2)
    layers["stem_relu"] = nn.ReLU6()
    for i, shape in enumerate(MBCONVS):
        layers[f"b{i}"] = MBConv(*shape)
    layers["head"] = SameConv2d(320, 1280, 1)
    layers["head_relu"] = nn.ReLU6()
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(1280, 1000)
    return nn.Sequential(layers)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "hand": HandNetwork,
    "hand_pooled": HandPooled,
    "small_cnn": small_cnn,
    "small_text": SmallText,
    "mnist_mlp": mnist_mlp,
    "mnist_cnn": mnist_cnn,
    "mnist_gap": mnist_gap,
    "fashion_cnn": mnist_cnn,
    "efficientnet_lite0": efficientnet_lite0,
    "text_cnn": TextCNN,
    "text_attention": TextAttention,
    "minilm": MiniLM,
    "hand_attention": HandAttention,
    "small_transformer": SmallTransformer,
}


def build(
    name: str, state: Mapping[str, np.ndarray], dtype: str = "float32"
) -> nn.Module:
    """A network by name, with the parameters in `state`, ready to be explained.

    dtype: "float32" or "float64". The parameters require no gradient, so that
    an input gradient does not pay for theirs.
    """
    if name not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise KeyError(f"no network is called {name!r}; there are {known}")
    if dtype not in ("float32", "float64"):
        raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}')
    network = NETWORKS[name]().to(getattr(torch, dtype))
    network.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    return network.eval().requires_grad_(False)


def state_arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """The way back: the parameters of a Torch network as arrays, by name."""
    return {k: v.numpy(force=True) for k, v in network.state_dict().items()}
