"""What the report says in sentences."""

from __future__ import annotations

from html import escape

from course.sanity.run import Result, Run
from course.sanity.trials import Measured
from course.sanity.verdicts import CANNOT_TELL, FAILS, PASSES, counts

CAVEAT = (
    '<p class="caveat">Sanity checks do not tell whether a method is good. They tell whether its '
    "maps depend on what they are said to explain. A method that fails cannot explain the "
    "network; one that passes may still be wrong.</p>"
)
TESTED = {
    "cascade": "Layers are drawn anew from their own initialiser, from the output down, all the "
    "way. The class asked about stays what it was.",
    "independent": "One layer is drawn anew, all others stay as trained.",
    "data": "The architecture is trained until it knows 1000 images with permuted labels. Compared "
    "with it: another seed, with the true ones.",
    "class": "The map of the network's second choice, beside that of its first.",
}
KEEP = (
    "Each dot is what is left of a map, from “nothing left” at 0% to “nothing changed” at 100%, "
    "at the step where most is left; the line through it spans the runs. Right of the half, in "
    "every run, is a fail."
)
MAPS = (
    "Each map has a colour scale of its own, clipped at its 99.5th percentile: red raises the "
    "score and blue lowers it; maps that are nowhere negative go from black to yellow. A column "
    "names the lowest layer drawn anew; all above it are random too. The network in the last "
    "column knows nothing."
)
NUMBERS = (
    "Means over the examples, and beneath them the lowest and the highest run. The coloured rows "
    "are nulls: what two maps of noise reach when both are cut out by the input, or multiplied by "
    "it. A number about magnitudes means something only where it is above its null."
)
ROWS = {
    "repeat": "nothing changed: a second call",
    "mask": "null: noise where the input is not 0",
    "input": "null: noise × input",
    "cascade": "From the top down to",
    "independent": "This layer alone",
    "control": "trained on true labels, another seed",
    "data": "trained on permuted labels",
    "class": "asked for the second choice",
}
HOW_TO_READ = """<h2>How to read this page</h2>
<p>A similarity means nothing by itself: .99 may be what noise reaches, and .7 what two equally good
networks share. So every similarity is placed between two anchors that were measured in the same
run. <em>Nothing changed</em> is what a second call on the same network gives, or, for permuted
labels, a network trained on the true ones from another seed. <em>Nothing left</em> is 0; but for
magnitudes of a method whose maps vanish where the input does, it is what noise multiplied by the
input reaches, because such maps agree wherever the input is 0.</p>
<p>What is <em>kept</em> is the place between the two, as a share of the way. It is computed from
Spearman's correlation with signs, and from that of magnitudes where the input is not 0, since a map
that only flips its sign looks the same; whichever keeps more counts. A method fails a test if it
keeps more than half in every run, which is nearer to “nothing changed”. It passes if it keeps less
than half in every run. If the runs disagree, or the anchors lie closer than 0.2, nobody can tell. A
step counts only where the gradient keeps less than half, since the gradient changes as the
network's function does.</p>
<p>SSIM and HOG similarity are shown and not judged: both see the outlines of the input. The idea,
and both randomisations, are those of Adebayo et al., <cite>Sanity Checks for Saliency Maps</cite>
(2018); the anchors, the nulls and the control with another seed are this course's.</p>"""


def subtitle(run: Run) -> str:
    return f"Saliency from Scratch, course sanity. The method is from {run.source}."


def conclusion(name: str, result: Result) -> str:
    """One sentence on a network."""
    tally = counts(result.verdicts)
    parts = [
        f"{verb} {tally[outcome]}"
        for outcome, verb in ((FAILS, "fails"), (PASSES, "passes"))
        if tally[outcome]
    ]
    says = f"Of {sum(tally.values())} tests, <code>{escape(name)}</code> "
    says += f"{' and '.join(parts) or 'passes or fails none'}"
    says += f"; {tally[CANNOT_TELL]} cannot tell." if tally[CANNOT_TELL] else "."
    if result.own.constant:
        number = len(result.subject.x)
        says += f" {result.own.constant} of {number} maps are constant and were left out."
    return says


def curves(own: Measured) -> str:
    """What to look at in the curves."""
    null = own.scores["input"][0, :, 1].mean()
    return (
        "Similarity of the map to what it was, while the network is destroyed from the output "
        "down. The band spans the runs. The dotted line is what noise multiplied by the input "
        f"reaches: over all pixels {null:.2f}, though its two maps share nothing but the input."
    )


def what_was_run(run: Run) -> str:
    """Settings and versions, so that somebody else gets the same numbers."""
    given = run.settings
    facts = {
        "method": f"{run.name}, from {run.source}",
        "networks": ", ".join(
            f"{name} ({count} examples)"
            for name, count in zip(given["networks"], given["examples"], strict=True)
        ),
        "runs": f"{given['seeds']}, with the seeds 0 to {given['seeds'] - 1}; for the class, "
        f"{given['seeds']} parts of the examples",
        "quick": "yes: no network was trained" if given["quick"] else "no",
        "time": f"{given['seconds']:g} s",
        "versions": ", ".join(f"{k} {v}" for k, v in given["versions"].items()),
        "code": f"{given['code']} (a hash of the engine, the networks and the tests)",
    }
    items = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    return f'<h2>What was run</h2><dl class="run">{items}</dl>'
