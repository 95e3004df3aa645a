"""Others like a drawing, and what lies between two: behind `sketchvary` and `sketchmorph`.

The encoder reads a drawing into a code (``model.encoder``), and the model draws what a code
tells. A code that is moved a little tells of a drawing that is a little different.

How well the model keeps to a code is a matter of chance, so each code is drawn several times.
Of variations, that one is kept whose own code is nearest to what was asked for, and which, the
less it is to differ, looks the more like the drawing. For what lies between two drawings,
codes between theirs are drawn, all from the same random numbers, so that neighbours are alike.
Of all these drawings those are kept that lead from the one to the other in short and even
steps, as pictures, and show the one or the other: the cheapest path (Viterbi 1967). Where the
ends are of two classes, what the model is told of the class goes over from the one into the
other as well.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer import (
    CALM_GUIDANCE,
    CALM_STRUCTURE_TEMPERATURE,
    CALM_TEMPERATURE,
    DEFAULT_AMOUNT,
)
from vpype_sketchformer.model.checkpoint import Checkpoint, CheckpointError, bundled, load
from vpype_sketchformer.model.choosing import further
from vpype_sketchformer.model.completion import (
    MOST_SEEN,
    SURE,
    Ranking,
    bounds,
    rank_classes,
    simplify,
)
from vpype_sketchformer.model.encoder import Encoder
from vpype_sketchformer.model.looks import blurred, looks, nearest
from vpype_sketchformer.model.recogniser import bundled as bundled_recogniser
from vpype_sketchformer.model.sampling import RETRIES, network_of, sample
from vpype_sketchformer.model.sight import Array, Stroke
from vpype_sketchformer.model.transformer import on_one_thread
from vpype_sketchformer.sketch import FRAME, SIMPLIFICATION, Sketch

#: How often each is drawn of those that somebody waits for.
HASTY = 2
#: How many codes of a class are drawn for the end of a path.
INVENTED = 8
#: How many of these, those that show it most clearly, it is chosen from.
CLEAREST = 3
#: Codes drawn between two ends, for each step that is wanted.
DENSITY = 3
#: How much further away a variation counts for each nat of doubt that it is of the drawing's
#: class, and for each by which its points, in the mean, are less likely.
DOUBTFUL, UNLIKELY = 0.8, 0.4
#: A step costs the cube of the logarithm by which it is too long or too short, and a drawing
#: that is taken for neither end so much for each nat of doubt.
DOUBT = 0.075
#: What tells a network the class, a row for each.
TOLD = ("start.weight", "label.weight")
#: How much longer than the straight way paths may be, and what that costs.
DETOURS = (1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 4.0)
DETOUR = 0.15
#: The least probability that is told from none.
LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class Seen:
    """What a model sees in a drawing.

    Attributes:
        strokes: The drawing.
        code: Its code, (code,).
        label: What it shows; None where that is not sure.
        ranking: All classes by probability, the best first, where the class was guessed.
        thinned: Whether it has more points than the model can draw.
    """

    strokes: Sequence[Stroke]
    code: Array
    label: str | None
    ranking: Ranking
    thinned: bool


def encoder_of(checkpoint: Checkpoint) -> Encoder:
    """Take the encoder of a model.

    Raises:
        CheckpointError: It has none; the message names the models that have one.
    """
    encoder = Encoder.of(checkpoint)
    if encoder is None:
        able = [repr(name) for name, path in bundled().items() if load(path).config.code]
        named = " or ".join(able) or "none of those that ship"
        raise CheckpointError(
            f"the model '{checkpoint.name}' cannot read drawings, it has no encoder; {named} "
            "has one."
        )
    return encoder


@on_one_thread
def see(checkpoint: Checkpoint, strokes: Sequence[Stroke], label: str | None = None) -> Seen:
    """Look at a drawing.

    Args:
        checkpoint: The model.
        strokes: The drawing, see ``completion.clean``.
        label: What it shows; None to guess it.

    Raises:
        CheckpointError: The model has no encoder, or there is no recogniser.
    """
    encoder = encoder_of(checkpoint)
    _, size = bounds(strokes)
    outline, _ = simplify(strokes, SIMPLIFICATION * size / FRAME, MOST_SEEN)
    ranking: Ranking = ()
    if label is None:
        ranking = rank_classes(network_of(checkpoint), checkpoint.classes, strokes)
        label = ranking[0][0] if ranking[0][1] >= SURE else None
    thinned = sum(map(len, outline)) > checkpoint.config.longest
    return Seen(strokes, encoder.encode([outline])[0], label, ranking, thinned)


@on_one_thread
def vary(
    checkpoint: Checkpoint,
    seen: Seen,
    amount: float,
    seeds: Sequence[np.random.SeedSequence],
    *,
    tries: int,
    progress: Callable[[int], object] = lambda finished: None,
    **style: Any,
) -> list[Sketch]:
    """Draw variations of a drawing.

    Args:
        checkpoint: A model with an encoder.
        seen: The drawing.
        amount: How different they are, see ``Encoder.vary``.
        seeds: What each is drawn from.
        tries: How often to draw each; of those that ended, the one is kept that is nearest to
            its code and to the drawing's looks, rather one that is likely, and that the
            recogniser takes for the drawing's class.
        progress: Called with the number of sketches that have just been drawn, tries and all.
        style: See ``sampling.sample``.

    Returns:
        One sketch for each seed.
    """
    encoder = encoder_of(checkpoint)
    codes = np.concatenate(
        [
            encoder.vary(seen.code, seen.label, amount, np.random.default_rng(seed), 1)
            for seed in seeds
        ]
    )
    wanted = np.repeat(codes, tries, axis=0)
    drawn = sample(
        checkpoint,
        [seen.label] * len(wanted),
        [further(seed, number) for seed in seeds for number in range(tries)],
        codes=wanted,
        progress=progress,
        retries=0 if tries > 1 else RETRIES,
        **style,
    )
    if tries == 1:
        return drawn
    far = encoder.distances(encoder.encode([x.strokes for x in drawn]), wanted, seen.label)
    far -= UNLIKELY * np.array([sketch.likelihood for sketch in drawn])
    drawings = [seen.strokes, *(sketch.strokes for sketch in drawn)]
    beheld = bundled_recogniser().look(drawings)
    source, *rows = looks(drawings, beheld)
    far += DOUBTFUL * _doubts(drawn, beheld[1:], [seen.label])
    away = amount * far + (1.0 - amount) * nearest(np.stack(rows), [source])
    cut = [not sketch.finished for sketch in drawn]
    # Those that ended come first.
    order = np.lexsort(np.stack([away, cut]))
    best = np.argsort(order).reshape(-1, tries).argmin(axis=1)
    return [drawn[i * tries + k] for i, k in enumerate(best)]


def alike(
    checkpoint: Checkpoint,
    strokes: Sequence[Stroke],
    label: str | None,
    seeds: Sequence[np.random.SeedSequence],
    *,
    one_line: bool = False,
) -> tuple[Seen, list[Sketch]]:
    """Draw others like a drawing for somebody who waits for them, to choose from.

    Args:
        checkpoint: A model with an encoder.
        strokes: The drawing, see ``completion.clean``.
        label: What it shows; None to guess it.
        seeds: What each is drawn from.
        one_line: Never lift the pen.

    Returns:
        What the model sees in the drawing, and one sketch for each seed.

    Raises:
        CheckpointError: The model has no encoder, or there is no recogniser.
    """
    seen = see(checkpoint, strokes, label)
    sketches = vary(
        checkpoint,
        seen,
        DEFAULT_AMOUNT,
        seeds,
        tries=HASTY,
        temperature=CALM_TEMPERATURE,
        structure_temperature=CALM_STRUCTURE_TEMPERATURE,
        guidance=CALM_GUIDANCE,
        one_line=one_line,
    )
    return seen, sketches


@on_one_thread
def morph(
    checkpoint: Checkpoint,
    ends: tuple[Seen | str, Seen | str],
    count: int,
    seed: np.random.SeedSequence,
    *,
    tries: int,
    ease: bool = False,
    progress: Callable[[float], object] = lambda share: None,
    **style: Any,
) -> list[Sketch]:
    """Draw the steps from one drawing to another.

    Args:
        checkpoint: A model with an encoder.
        ends: What they lead from and to: a drawing, or a class, to be invented.
        count: How many steps, 2 or more, both ends among them.
        seed: What all are drawn from.
        tries: How often to draw each code.
        ease: Whether to begin and end with small steps.
        progress: Called with the share of the work that is done.
        style: See ``sampling.sample``.

    Returns:
        The sketches in order. Those of ends that were given as drawings are left out.
    """
    encoder = encoder_of(checkpoint)
    rng = np.random.default_rng(seed)
    seeds = [further(seed, number) for number in range(tries)]
    places = np.linspace(0.0, 1.0, max(DENSITY * count, 2))
    invented = sum(isinstance(end, str) for end in ends) * INVENTED
    total, done = invented + len(places) * tries, 0

    def draw(
        model: Checkpoint,
        codes: Array,
        labels: Sequence[str | None],
        seeds: Sequence[np.random.SeedSequence],
    ) -> list[Sketch]:
        def advance(finished: int) -> None:
            nonlocal done
            done += finished
            progress(done / total)

        return sample(model, labels, seeds, codes=codes, retries=0, progress=advance, **style)

    names = [end if isinstance(end, str) else end.label for end in ends]
    label = names[0] if names[0] == names[1] else None
    found = []
    for end in ends:
        if isinstance(end, str):
            codes = encoder.invent(end, rng, INVENTED)
            made = draw(checkpoint, codes, [end] * INVENTED, seeds[:1] * INVENTED)
            doubts = _doubts(made, _behold(made), (end,))
            found.append(codes[np.argsort(doubts, kind="stable")[:CLEAREST]])
        else:
            found.append(end.code[None])
    pairs = list(itertools.product(*found))
    apart = [encoder.distances(one, other, label) for one, other in pairs]
    first, last = pairs[int(np.argmin(apart))]
    codes = np.repeat(_between(first, last, places), tries, axis=0)
    blended = _blended(checkpoint, names, places)
    told = np.repeat(blended.classes, tries).tolist()
    sketches = draw(blended, codes, told, seeds * len(places))
    given = [None if isinstance(end, str) else end.strokes for end in ends]
    chosen = _choose_path(
        blurred([sketch.strokes for sketch in sketches]),
        np.repeat(places, tries),
        DOUBT * _doubts(sketches, _behold(sketches), names),
        [None if strokes is None else blurred([strokes]) for strokes in given],
        _lengths(count, ease),
    )
    return [sketches[i] for i in chosen]


def _between(first: Array, last: Array, places: NDArray[np.float64]) -> Array:
    """Return what lies on the straight way between two, (n, width)."""
    way: Array = first + places[:, None].astype(np.float32) * (last - first)
    return way


def _blended(
    checkpoint: Checkpoint, names: Sequence[str | None], places: NDArray[np.float64]
) -> Checkpoint:
    """Give a model classes that lie between two, in their place.

    Args:
        checkpoint: The model.
        names: What lies at both ends; None is any drawing.
        places: How far along each new class is, from 0 to 1, (n,).
    """
    first, last = (
        len(checkpoint.classes) if name is None else checkpoint.classes.index(name)
        for name in names
    )
    tensors = dict(checkpoint.tensors)
    for name in TOLD:
        table = tensors[name]
        way = _between(table[first], table[last], places)
        tensors[name] = np.concatenate([way, table[-1:]])
    classes = tuple(str(i) for i in range(len(places)))
    return replace(checkpoint, tensors=tensors, classes=classes)


def _lengths(count: int, ease: bool) -> NDArray[np.float64]:
    """Return how long the steps of a path are to be, (count - 1,), 1 in the mean."""
    at = np.linspace(0.0, 1.0, count)
    if ease:
        at = at * at * (3.0 - 2.0 * at)
    return np.diff(at) * (count - 1)


def _choose_path(
    pictures: NDArray[np.float64],
    places: NDArray[np.float64],
    costs: NDArray[np.float64],
    given: Sequence[NDArray[np.float64] | None],
    lengths: NDArray[np.float64],
) -> list[int]:
    """Choose drawings that lead from one end to the other.

    Args:
        pictures: All drawings, (n, pixels).
        places: How far along each is, from 0 to 1, (n,).
        costs: What it costs to take each, (n,).
        given: Pictures that the path has to begin and end with, (1, pixels); None where it
            begins or ends with one of the drawings.
        lengths: How long the steps are to be, 1 in the mean.

    Returns:
        The numbers of drawings in order, ends that were given left out.
    """
    n = len(pictures)
    first, last = given
    # Ends that are given come before and after all others.
    if first is not None:
        pictures, places = np.concatenate([pictures, first]), np.append(places, -1.0)
    if last is not None:
        pictures, places = np.concatenate([pictures, last]), np.append(places, 2.0)
    costs = np.append(costs, np.zeros(len(places) - n))
    begins, ends = places == places.min(), places == places.max()
    far = np.sqrt(np.square(pictures[:, None] - pictures).sum(axis=-1))
    straight = max(np.mean(far[begins][:, ends]), LEAST) / len(lengths)
    logs = np.log(np.maximum(far, LEAST))
    forward = places[:, None] < places
    found = []
    for detour in DETOURS:
        wanted = np.log(detour * straight * lengths)
        cost, path = _cheapest(
            [np.where(forward, np.abs(logs - step) ** 3, np.inf) for step in wanted],
            costs,
            begins,
            ends,
        )
        found.append((cost + DETOUR * detour, path))
    return [i for i in min(found)[1] if i < n]


def _cheapest(
    steps: Sequence[NDArray[np.float64]],
    costs: NDArray[np.float64],
    begins: NDArray[np.bool_],
    ends: NDArray[np.bool_],
) -> tuple[float, list[int]]:
    """Find the cheapest path through a graph (Viterbi 1967).

    Args:
        steps: What each step costs from node to node, (n, n); infinite where there is none.
        costs: What each node costs, (n,).
        begins: Which of them it may begin with, (n,).
        ends: Which of them it may end with, (n,).

    Returns:
        What it costs, and its nodes.
    """
    best = np.where(begins, costs, np.inf)
    came = []
    for step in steps:
        ways = best[:, None] + step
        came.append(ways.argmin(axis=0))
        best = ways.min(axis=0) + costs
    path = [int(np.where(ends, best, np.inf).argmin())]
    for before in came[::-1]:
        path.append(int(before[path[-1]]))
    return float(best[path[0]]), path[::-1]


def _behold(sketches: Sequence[Sketch]) -> Array:
    """Return what the recogniser sees in sketches, (n, channels)."""
    return bundled_recogniser().look([sketch.strokes for sketch in sketches])


def _doubts(
    sketches: Sequence[Sketch], beheld: Array, labels: Sequence[str | None]
) -> NDArray[np.float64]:
    """Return how doubtful it is that sketches show one of these classes, in nats, (n,).

    Of classes that the recogniser does not know there is no doubt; of what did not end there
    is most. ``beheld`` is what the recogniser sees in them.
    """
    recogniser = bundled_recogniser()
    rows = [i for i, name in enumerate(recogniser.classes) if name in labels]
    right = np.ones(len(sketches))
    if len(rows) == len(set(labels)):
        right = recogniser.name_if_alike(beheld)[:, rows].sum(axis=1)
    right[[not sketch.finished for sketch in sketches]] = LEAST
    doubts: NDArray[np.float64] = -np.log(np.maximum(right, LEAST))
    return doubts
