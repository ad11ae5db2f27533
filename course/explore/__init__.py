"""An interactive page: maps of several networks, while these are destroyed layer by layer."""

from course.explore.exhibits import Exhibit, clothes, digits, measure, photographs
from course.explore.page import explorer

__all__ = ["Exhibit", "clothes", "digits", "explorer", "measure", "photographs"]
