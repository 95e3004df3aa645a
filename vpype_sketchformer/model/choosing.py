"""The best of several drawings of each: like its class, in one piece, and unlike the others.

The recogniser says how much a drawing looks like its class. Whether it holds together the
model knows itself: strokes that belong to nothing, and lines that miss what they were meant to
meet, are unlikely. And twenty on a sheet differ where each is unlike those before it. What was
not taken stays to choose from: of two good tries for one place the second serves the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer import DEFAULT_TRIES
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.looks import WIDTH, looks, nearest
from vpype_sketchformer.model.recogniser import bundled
from vpype_sketchformer.model.sampling import RETRIES, sample
from vpype_sketchformer.sketch import Sketch

#: Where the seeds of further tries begin, so that they are nobody else's.
FURTHER = 1_000_000
#: What counts beside a nat of the class's probability: how far the nearest of the others is,
#: and a nat of the drawing's own likelihood, the mean of its points.
DIFFERENCE, LIKELIHOOD = 6.0, 1.5
#: What is likelier than this, in the mean of its points, goes over one spot again and again.
LIKELIEST = -4.5
#: The least probability that is told from none.
LEAST = 1e-4
#: What one that did not end is worth less: more than all the rest.
UNFINISHED = 1e6
#: How many tries of a class stay to choose from, so that memory stays bounded.
MOST_LEFT = 120


@dataclass
class Tries:
    """The tries of one class.

    Attributes:
        left: Those that nobody took.
        worth: What each of these is worth alone, nats, (n,).
        rows: How each of these looks, see ``looks``, (n, width).
        away: How far each of these is from the nearest that was taken, (n,).
        taken: How those look that were taken.
    """

    left: list[Sketch] = field(default_factory=list)
    worth: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    rows: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, WIDTH)))
    away: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    taken: list[NDArray[np.float64]] = field(default_factory=list)

    def add(
        self,
        sketches: Sequence[Sketch],
        worth: NDArray[np.float64],
        rows: NDArray[np.float64],
    ) -> None:
        """Add tries: what each is worth, and how it looks; the best of all stay."""
        self.left = [*self.left, *sketches]
        self.worth = np.append(self.worth, worth)
        self.rows = np.concatenate([self.rows, rows])
        self.away = np.append(self.away, nearest(rows, self.taken))
        self._keep(np.sort(np.argsort(-self.worth, kind="stable")[:MOST_LEFT]))

    def take(self) -> Sketch:
        """Take the one that is worth most and least like those that were taken."""
        k = int(np.argmax(self.worth + DIFFERENCE * self.away))
        sketch, row = self.left[k], self.rows[k]
        self.taken.append(row)
        self._keep(np.delete(np.arange(len(self.left)), k))
        self.away = np.minimum(self.away, np.linalg.norm(self.rows - row, axis=1))
        return sketch

    def _keep(self, kept: NDArray[np.intp]) -> None:
        self.left = [self.left[k] for k in kept]
        self.worth, self.rows, self.away = self.worth[kept], self.rows[kept], self.away[kept]


#: The tries of each class.
Drawn = dict[str, Tries]


def sample_best(
    checkpoint: Checkpoint,
    labels: Sequence[str],
    seeds: Sequence[np.random.SeedSequence],
    *,
    tries: int = DEFAULT_TRIES,
    before: Drawn | None = None,
    retries: int = RETRIES,
    progress: Callable[[int], object] = lambda finished: None,
    **style: Any,
) -> list[Sketch]:
    """Draw each sketch several times, and keep the best.

    Args:
        checkpoint: The model.
        labels: The class of each sketch, one of the checkpoint's.
        seeds: What each sketch is drawn from; the first try is that of ``sample``.
        tries: How often to draw each. Where it is 1, or the recogniser does not know all
            classes, sketches are as they come.
        before: What was drawn before these; they are added to it. A sketch depends on it, and
            on those of its class before it, not on those that follow.
        retries: How often one that did not end is drawn again where they are as they come.
        progress: Called with the number of sketches that have just been finished.
        style: See ``sample``.

    Returns:
        One sketch for each label: of its own tries and of those of its class before it that
        are left, the one that ended, looks most like its class, is likeliest, and looks
        least like those that were taken.

    Raises:
        CheckpointError: There is no recogniser.
    """
    if tries == 1 or not labels or not set(labels) <= set(bundled().classes):
        return sample(checkpoint, labels, seeds, retries=retries, progress=progress, **style)
    drawn = sample(
        checkpoint,
        [label for label in labels for _ in range(tries)],
        [further(seed, number) for seed in seeds for number in range(tries)],
        retries=0,
        progress=_in_wholes(progress, tries),
        **style,
    )
    worth, rows = _judged(drawn)
    before = {} if before is None else before
    best = []
    for begin, label in zip(range(0, len(drawn), tries), labels, strict=True):
        these = slice(begin, begin + tries)
        of_class = before.setdefault(label, Tries())
        of_class.add(drawn[these], worth[these], rows[these])
        best.append(of_class.take())
    return best


def _in_wholes(progress: Callable[[int], object], parts: int) -> Callable[[int], None]:
    """Tell the progress of parts in wholes."""
    done = 0

    def advance(finished: int) -> None:
        nonlocal done
        before, done = done // parts, done + finished
        progress(done // parts - before)

    return advance


def _judged(sketches: Sequence[Sketch]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what sketches are worth alone, (n,), and how they look, see ``looks``."""
    recogniser = bundled()
    drawings = [sketch.strokes for sketch in sketches]
    seen = recogniser.look(drawings)
    rows = [recogniser.classes.index(sketch.label) for sketch in sketches]
    right = recogniser.name_if_alike(seen)[np.arange(len(rows)), rows]
    likelihoods = np.minimum([sketch.likelihood for sketch in sketches], LIKELIEST)
    worth = np.log(np.maximum(right, LEAST)) + LIKELIHOOD * likelihoods
    worth[[not sketch.finished for sketch in sketches]] -= UNFINISHED
    return worth, looks(drawings, seen)


def further(seed: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """Return the seed of a try; that of the first one is the sketch's own."""
    if number == 0:
        return seed
    key = (*seed.spawn_key, FURTHER + number)
    return np.random.SeedSequence(seed.entropy, spawn_key=key)
