"""What EfficientNet-Lite0 sees on the photographs: `python -m course.models`."""

from course.autograd import Tensor, no_grad
from course.data import photos, preprocess
from course.models import efficientnet_lite0, top5

model = efficientnet_lite0()
for photo in photos("photos_cc0_pd"):
    with no_grad():
        logits = model(Tensor(preprocess(photo.image)))
    guesses = ", ".join(f"{label} {p:.2f}" for label, p in top5(logits.data)[0])
    print(f"{photo.name:27} {guesses}")
