"""Layers, initialisation, optimisers and a training loop, with the names of `torch.nn`."""

from course.nn.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, ReLU6, kaiming_uniform
from course.nn.module import Module, Sequential, capture, capturing
from course.nn.optim import SGD, Adam, Optimizer
from course.nn.train import accuracy, fit

__all__ = [
    "SGD", "Adam", "Conv2d", "Flatten", "Linear", "MaxPool2d", "Module", "Optimizer", "ReLU",
    "ReLU6", "Sequential", "accuracy", "capture", "capturing", "fit", "kaiming_uniform",
]  # fmt: skip
