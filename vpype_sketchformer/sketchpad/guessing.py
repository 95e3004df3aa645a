"""What a drawing shows, guessed anew after every stroke.

All classes are compared by the drawing's first points, and the likeliest of them by all of it.
What was compared is kept, so that a stroke more costs that stroke, times the classes that are
still in the running.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.model.prefix import Prefix, Reading
from vpype_sketchformer.model.transformer import ANY_STROKES, Transformer, log_likelihood
from vpype_sketchformer.sketch import DRAW

#: Points by which all classes are compared.
FIRST = 8
#: Classes that are compared at once, between two looks at whether to stop.
ROWS = 16
#: Classes that stay in the running.
KEPT = 48
#: Those that are looked at while the user waits.
FEW = 12

Ranking = tuple[tuple[str, float], ...]


class Guesser:
    """Ranks classes by p(class | drawing), all equally likely beforehand."""

    def __init__(self, network: Transformer, classes: Sequence[str]) -> None:
        self.network, self.classes = network, classes
        self.first: Prefix | None = None
        self.readings: dict[int, Reading] = {}
        self.scores: dict[int, float] = {}
        self.next = 0

    def rank(self, prefix: Prefix, cancelled: Callable[[], bool]) -> Ranking | None:
        """Rank the classes that are likely, the best first; None if cancelled.

        Work that was cancelled is not lost: the next call goes on with it.
        """
        if self.first is None or not prefix.begins_with(self.first):
            self.first = prefix.head(FIRST)
            self.readings, self.scores, self.next = {}, {}, 0
        while self.next < len(self.classes):
            if cancelled():
                return None
            labels = np.arange(self.next, min(self.next + ROWS, len(self.classes)))
            self.scores |= zip(labels.tolist(), self._compare(self.first, labels), strict=True)
            self.next += len(labels)
        self._prune()
        for label in self.scores:
            if cancelled():
                return None
            if label not in self.readings:
                self.readings[label] = Reading(self.network, label, ANY_STROKES)
            self.scores[label] = self.readings[label].log_likelihood(prefix)
        self._prune()
        return self._shares(list(self.scores))

    def look_again(self, prefix: Prefix) -> Ranking | None:
        """Rank the few that were the likeliest; None where all must be compared anew."""
        done = self.readings.keys() == self.scores.keys()
        if self.first is None or not done or not prefix.begins_with(self.first):
            return None
        few = list(self.scores)[:FEW]
        for label in few:
            self.scores[label] = self.readings[label].log_likelihood(prefix)
        return self._shares(few)

    def _compare(self, prefix: Prefix, labels: NDArray[np.intp]) -> list[float]:
        """Read a beginning under several classes at once; returns its log-densities."""
        positions = np.repeat(prefix.positions[None], len(labels), axis=0)
        pens = np.append(prefix.pens, DRAW)  # the last is not counted
        return log_likelihood(self.network, labels, positions, pens).tolist()

    def _shares(self, labels: list[int]) -> Ranking:
        """Turn scores into probabilities, the best first."""
        scores = np.array([self.scores[label] for label in labels])
        weights = np.exp(scores - scores.max())
        weights /= weights.sum()
        order = np.argsort(-weights, kind="stable")
        return tuple((self.classes[labels[i]], float(weights[i])) for i in order)

    def _prune(self) -> None:
        """Keep the classes that are the likeliest, the best first."""
        best = sorted(self.scores, key=lambda label: -self.scores[label])[:KEPT]
        self.scores = {label: self.scores[label] for label in best}
