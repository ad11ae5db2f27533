"""The data that the course ships: digits, photographs, labels. See `files/PROVENANCE.md`."""

from course.data.digits import Mnist, mnist
from course.data.photographs import Photo, imagenet_labels, photo, photos, preprocess, to_image
from course.data.store import data_file, load_arrays

__all__ = [
    "Mnist",
    "Photo",
    "data_file",
    "imagenet_labels",
    "load_arrays",
    "mnist",
    "photo",
    "photos",
    "preprocess",
    "to_image",
]
