"""Figures: heat maps, overlays, and yours beside Torch's. Matplotlib loads at the first drawing."""

from course.plot.graph import draw_tape
from course.plot.maps import (
    comparison,
    comparison_png,
    draw_image,
    draw_map,
    draw_overlay,
    grid,
    shared_scale,
)
from course.plot.tokens import token_strip

__all__ = [
    "comparison",
    "comparison_png",
    "draw_image",
    "draw_map",
    "draw_overlay",
    "draw_tape",
    "grid",
    "shared_scale",
    "token_strip",
]
