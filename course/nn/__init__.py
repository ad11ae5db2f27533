"""Layers, initialisation, optimisers and a training loop, with the names of `torch.nn`."""

from course.nn.attention import Embedding, MultiHeadAttention, TransformerBlock
from course.nn.layers import (
    GELU,
    Conv1d,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    ReLU6,
    Softmax,
    kaiming_uniform,
    layers_from_top,
    xavier_uniform,
)
from course.nn.module import Module, Sequential, capture, capturing
from course.nn.normalisation import BatchNorm2d, LayerNorm
from course.nn.optim import SGD, Adam, Optimizer
from course.nn.train import accuracy, fit

__all__ = [
    "GELU", "SGD", "Adam", "BatchNorm2d", "Conv1d", "Conv2d", "Embedding", "Flatten", "LayerNorm",
    "Linear", "MaxPool2d", "Module", "MultiHeadAttention", "Optimizer", "ReLU", "ReLU6",
    "Sequential", "Softmax", "TransformerBlock", "accuracy", "capture", "capturing", "fit",
    "kaiming_uniform", "layers_from_top", "xavier_uniform",
]  # fmt: skip
