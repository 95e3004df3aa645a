"""The best of several drawings, by their looks: like their class, unlike each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer import DEFAULT_TRIES
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.looks import looks, nearest
from vpype_sketchformer.model.recogniser import bundled
from vpype_sketchformer.model.sampling import sample
from vpype_sketchformer.sketch import Sketch

Look = NDArray[np.float64]

#: Where the seeds of further tries begin, so that they are nobody else's.
FURTHER = 1_000_000
#: A sketch nearer than this to another of its class is drawn again, see ``looks``. Of real
#: drawings, eight of a class, a fourth have another as near.
ALIKE = 0.9
#: What distance to the nearest other counts beside a nat of the class's probability.
DIFFERENCE = 3.0
#: The least probability that is told from none.
LEAST = 1e-4


@dataclass
class Others:
    """How that looks which has been drawn, by its class, so that what follows differs.

    Attributes:
        all: Everything, in order.
        firsts: That of which the first try was good enough.
    """

    all: defaultdict[str, list[Look]] = field(default_factory=lambda: defaultdict(list))
    firsts: defaultdict[str, list[Look]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, eq=False)
class _Try:
    """A sketch, and what the recogniser says of it.

    Attributes:
        sketch: The sketch.
        likely: The probability of its class, were all as common.
        right: Whether it ended, and the recogniser takes it for its class first.
        look: How it looks.
    """

    sketch: Sketch
    likely: float
    right: bool
    look: Look


def sample_recognised(
    checkpoint: Checkpoint,
    labels: Sequence[str],
    seeds: Sequence[np.random.SeedSequence],
    *,
    tries: int = DEFAULT_TRIES,
    best_of: int = 1,
    others: Others | None = None,
    progress: Callable[[int], object] = lambda finished: None,
    **style: Any,
) -> list[Sketch]:
    """Draw sketches that look like their classes, and differ: what does not is drawn again.

    Args:
        checkpoint: The model.
        labels: The class of each sketch, one of the checkpoint's.
        seeds: What each sketch is drawn from; the first try is that of ``sample``.
        tries: How often to draw each, at most: one that did not end by itself, that the
            recogniser does not take for its class first, or that looks like one of its class
            before it, is drawn again.
        best_of: Where it is more than 1: draw each as often, whatever it looks like.
        others: What was drawn before these; these are added to it. A sketch depends on it, and
            on those of its class before it, not on those that follow.
        progress: Called with the number of sketches that have just been finished.
        style: See ``sample``.

    Returns:
        One sketch for each label: of those that ended, one whose class the recogniser finds
        probable, and which is far from those before it. A model with classes that it does
        not know chooses for itself, see ``sample``.

    Raises:
        CheckpointError: There is no recogniser.
    """
    if max(tries, best_of) == 1 or not set(labels) <= set(bundled().classes):
        return sample(checkpoint, labels, seeds, best_of=best_of, progress=progress, **style)
    others = Others() if others is None else others

    def draw(
        which: Sequence[int], numbers: range, progress: Callable[[int], object]
    ) -> list[list[_Try]]:
        wanted = [(i, number) for i in which for number in numbers]
        names = [labels[i] for i, _ in wanted]
        again = [further(seeds[i], number) for i, number in wanted]
        advance = _in_wholes(progress, len(numbers))
        tried = _tried(sample(checkpoint, names, again, progress=advance, **style), names)
        return [tried[k : k + len(numbers)] for k in range(0, len(tried), len(numbers))]

    everything = range(len(labels))
    good: set[int] = set()
    if best_of > 1:
        found = draw(everything, range(best_of), progress)
    else:
        found = draw(everything, range(1), lambda finished: None)
        good = _good_enough(labels, found, others)
        progress(len(good))
        todo = [i for i in everything if i not in good]
        # Further tries side by side: one after the other takes longer.
        for i, more in zip(todo, draw(todo, range(1, tries), progress), strict=True):
            found[i] += more
    kept = []
    for i, label in enumerate(labels):
        best = _best(found[i], others.all[label])
        kept.append(best.sketch)
        others.all[label].append(best.look)
        if i in good:
            others.firsts[label].append(best.look)
    return kept


def _in_wholes(progress: Callable[[int], object], parts: int) -> Callable[[int], None]:
    """Tell the progress of parts in wholes."""
    done = 0

    def advance(finished: int) -> None:
        nonlocal done
        before, done = done // parts, done + finished
        progress(done // parts - before)

    return advance


def _tried(sketches: Sequence[Sketch], labels: Sequence[str]) -> list[_Try]:
    """Ask the recogniser."""
    if not sketches:
        return []
    recogniser = bundled()
    drawings = [sketch.strokes for sketch in sketches]
    seen = recogniser.look(drawings)
    shares = recogniser.name(seen) / recogniser.tensors["prior"]
    shares /= shares.sum(axis=1, keepdims=True)
    rows = [recogniser.classes.index(label) for label in labels]
    likely = shares[np.arange(len(rows)), rows]
    right = (likely == shares.max(axis=1)) & [sketch.finished for sketch in sketches]
    every = zip(sketches, likely.tolist(), right.tolist(), looks(drawings, seen), strict=True)
    return [_Try(*one) for one in every]


def _good_enough(
    labels: Sequence[str], found: Sequence[Sequence[_Try]], others: Others
) -> set[int]:
    """Choose the first tries that are kept: they are right, and unlike those kept before."""
    kept = {label: list(others.firsts[label]) for label in set(labels)}
    good = set()
    for i, (label, [first]) in enumerate(zip(labels, found, strict=True)):
        if first.right and nearest(first.look[None], kept[label])[0] > ALIKE:
            kept[label].append(first.look)
            good.add(i)
    return good


def _best(tries: Sequence[_Try], others: Sequence[Look]) -> _Try:
    """Choose one that ended, looks like its class, and unlike the others."""
    likely = np.array([max(one.likely, LEAST) for one in tries])
    away = nearest(np.stack([one.look for one in tries]), others)
    worth = np.log(likely) + DIFFERENCE * away
    return tries[max(range(len(tries)), key=lambda k: (tries[k].sketch.finished, worth[k]))]


def further(seed: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """Return the seed of a try; that of the first one is the sketch's own."""
    if number == 0:
        return seed
    key = (*seed.spawn_key, FURTHER + number)
    return np.random.SeedSequence(seed.entropy, spawn_key=key)
