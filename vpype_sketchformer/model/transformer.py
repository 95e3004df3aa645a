"""The network's forward pass in NumPy, with a key/value cache.

``training.model`` is the same network in torch; a parity test keeps the two one model.

A decoder-only transformer, one position per point: RMSNorm without gain before each part
(Zhang & Sennrich 2019), rotary positions (Su et al. 2021) with base 1,000, normalised queries
and keys (Dehghani et al. 2023), squared ReLU (So et al. 2021). Two heads: a mixture of
full-covariance Gaussians for the offset (Bishop 1994, Graves 2013), and a categorical for
what the pen does after it. The pen is asked after the offset, and sees it: whether a stroke
ends depends on where its last point fell, for instance on the stroke's own beginning.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from vpype_sketchformer.model.features import FEATURES, Array, describe
from vpype_sketchformer.model.mixture import SIGMA_FLOOR, Mixture, logsumexp, require_below

ROPE_BASE = 1000.0
NORM_EPSILON = 1e-6
#: Rows and columns of the products that the network is made of, see ``Matrix``.
BLOCK, PANEL = 20, 32
#: The largest logit of the pen that a trained network comes near, see `mixture`.
LARGEST_LOGIT = 500.0
#: Hidden units between a code and the stream.
CODE_HIDDEN = 128
#: Positions that a cache grows by.
CACHE_STEP = 96

#: What the drawing is to be, beside its class, the index into the embedding: anything that
#: people draw, of one stroke, or of several.
ANY_STROKES, ONE_STROKE, SEVERAL_STROKES = 0, 1, 2

#: How surely a judge that never saw it names a drawing, against the others of its class: not
#: known, or 1 (the fifth that it is least sure of) to 5; the index into the embedding.
UNKNOWN_QUALITY, BEST_QUALITY = 0, 5


#: What the names of weights begin with that are the encoder's.
ASIDE = ("encoder.", "prior.")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def on_one_thread(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Keep the products that a function makes on one thread.

    Products this small gain little from threads, and lose all to threads that wait for a busy
    core: ten times the time and more. One thread also rounds alike on machines with few cores
    and many.
    """

    @functools.wraps(function)
    def limited(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        with _libraries().limit(limits=1, user_api="blas"):
            return function(*arguments, **named)

    return limited


@functools.cache
def _libraries() -> ThreadpoolController:
    """Look for BLAS among the libraries of the process, once, since that takes a while."""
    return ThreadpoolController()


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the network.

    Attributes:
        width: Channels of the residual stream.
        heads: Attention heads; ``width / heads`` must be even.
        layers: Transformer blocks.
        hidden: Hidden units of each block's feed-forward part.
        mixtures: Gaussians in the mixture of the offset.
        pen_width: Hidden units of the pen's head.
        context: Longest drawing, in points.
        longest: Where a drawing, or the rest of one, is cut off; 99.8 % of those trained on
            have fewer points.
        code: Numbers in a drawing's code, see ``model.encoder``; 0 where it takes none.
    """

    width: int = 256
    heads: int = 4
    layers: int = 6
    hidden: int = 1024
    mixtures: int = 20
    pen_width: int = 128
    context: int = 256
    longest: int = 128
    code: int = 0


def expected_shapes(config: ModelConfig, classes: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of a model."""
    d, h, p = config.width, config.hidden, config.pen_width
    shapes: dict[str, tuple[int, ...]] = {
        "start.weight": (classes + 1, d),
        "label.weight": (classes + 1, d),
        "strokes.weight": (3, d),
        "quality.weight": (BEST_QUALITY + 1, d),
        "pen.weight": (3, d),
        "point.weight": (d, FEATURES),
        "mixture.weight": (6 * config.mixtures, d),
        "mixture.bias": (6 * config.mixtures,),
        "pen_hidden.weight": (p, d + FEATURES),
        "pen_hidden.bias": (p,),
        "pen_out.weight": (3, p),
        "pen_out.bias": (3,),
    }
    if config.code:
        shapes["code_hidden.weight"] = (CODE_HIDDEN, config.code + 1)
        shapes["code_start.weight"] = (d, CODE_HIDDEN)
        shapes["code_point.weight"] = (d, CODE_HIDDEN)
        shapes["code_gain.weight"] = (config.layers * 2 * d, CODE_HIDDEN)
    for i in range(config.layers):
        for name in ("query", "key", "value", "out"):
            shapes[f"blocks.{i}.{name}.weight"] = (d, d)
        shapes[f"blocks.{i}.up.weight"] = (h, d)
        shapes[f"blocks.{i}.down.weight"] = (d, h)
    return shapes


class Matrix:
    """A weight matrix that rows are multiplied with from the left: ``x @ matrix``.

    The matrix is cut into panels, and all products are small: ``BLOCK`` rows, or fewer where
    there are fewer, by a panel. BLAS does not repack operands this small, which makes it twice
    as fast for a few dozen rows and no slower for hundreds; and a row's result hangs on the
    others by rounding at most.
    """

    __array_ufunc__ = None  # NumPy leaves `array @ matrix` to the matrix

    def __init__(self, weight: Array) -> None:
        """Take a weight (out, in), as torch keeps it."""
        self.width, inner = weight.shape
        missing = -self.width % PANEL
        if missing:
            weight = np.pad(weight, ((0, missing), (0, 0)))
        panels = weight.reshape(-1, 1, PANEL, inner).swapaxes(2, 3)
        self.panels = np.ascontiguousarray(panels)  # (out / PANEL, 1, in, PANEL)

    def __rmatmul__(self, x: Array) -> Array:
        """Multiply rows (..., in); returns (..., out)."""
        rows = x.reshape(-1, x.shape[-1])
        count = len(rows)
        # Blocks of one height; one row alone would round otherwise.
        block = max(2, math.ceil(count / max(1, math.ceil(count / BLOCK))))
        padding = -count % block
        if padding:
            rows = np.concatenate([rows, np.zeros((padding, rows.shape[1]), np.float32)])
        panels = len(self.panels)
        result = np.empty((len(rows), panels * PANEL), np.float32)
        np.matmul(
            rows.reshape(-1, block, rows.shape[1]),
            self.panels,
            out=result.reshape(-1, block, panels, PANEL).transpose(2, 0, 1, 3),
        )
        return result[:count, : self.width].reshape(*x.shape[:-1], self.width)


class KVCache:
    """Keys and values of the points so far, for the rows of a batch."""

    def __init__(self, config: ModelConfig, rows: int) -> None:
        """Make room for some positions; more is made when it is needed."""
        shape = (config.layers, rows, config.heads, CACHE_STEP, config.width // config.heads)
        self.keys = np.empty(shape, np.float32)
        self.values = np.empty(shape, np.float32)
        self.length = 0

    def grow(self, length: int) -> None:
        """Make room for at least ``length`` positions."""
        if length > self.keys.shape[3]:
            room = -(-length // CACHE_STEP) * CACHE_STEP
            self.keys = _with_room(self.keys[:, :, :, : self.length], room)
            self.values = _with_room(self.values[:, :, :, : self.length], room)

    @classmethod
    def joined(cls, caches: Sequence[KVCache]) -> KVCache:
        """Put the rows of caches of one length together; one may be named several times."""
        result = cls.__new__(cls)
        result.length = length = caches[0].length
        result.keys = np.concatenate([c.keys[:, :, :, :length] for c in caches], axis=1)
        result.values = np.concatenate([c.values[:, :, :, :length] for c in caches], axis=1)
        return result

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Keep these rows, in rising order; they move up to where others were."""
        for place, row in enumerate(rows):
            if place != row:
                self.keys[:, place, :, : self.length] = self.keys[:, row, :, : self.length]
                self.values[:, place, :, : self.length] = self.values[:, row, :, : self.length]
        self.keys, self.values = self.keys[:, : len(rows)], self.values[:, : len(rows)]


def _with_room(kept: Array, room: int) -> Array:
    """Copy (layers, rows, heads, T, d) to the beginning of (layers, rows, heads, room, d)."""
    result = np.empty((*kept.shape[:3], room, kept.shape[4]), np.float32)
    result[:, :, :, : kept.shape[3]] = kept
    return result


@dataclass(frozen=True)
class _Block:
    """The weights of one block; queries, keys and values are one product.

    Channels of a query or a key that rotary positions turn together lie side by side.
    """

    queries_keys_values: Matrix
    out: Matrix
    up: Matrix
    down: Matrix

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Array], index: int, heads: int) -> _Block:
        w = {name: tensors[f"blocks.{index}.{name}.weight"] for name in _PARTS}
        for name in ("query", "key"):
            halves = w[name].reshape(heads, 2, -1, w[name].shape[1])  # (h, 2, d / 2, width)
            w[name] = halves.swapaxes(1, 2).reshape(w[name].shape)
        joined = np.concatenate([w["query"], w["key"], w["value"]])
        return cls(Matrix(joined), Matrix(w["out"]), Matrix(w["up"]), Matrix(w["down"]))


@dataclass(frozen=True)
class Conditions:
    """What the model is told of n drawings.

    Attributes:
        labels: Classes; the number of classes is the null class, nothing told, (n,).
        strokes: Of how many strokes the drawings are to be, see ``ANY_STROKES``, (n,).
        quality: How good they are to be, see ``UNKNOWN_QUALITY``, (n,).
        codes: Their layout, see ``model.encoder``, (n, code); None where it is not told.
    """

    labels: NDArray[np.intp]
    strokes: NDArray[np.intp]
    quality: NDArray[np.intp]
    codes: Array | None = None

    @classmethod
    def of(
        cls,
        labels: Sequence[int],
        null: int,
        strokes: int,
        quality: int = UNKNOWN_QUALITY,
        codes: Array | None = None,
    ) -> Conditions:
        """Tell n drawings one thing each; of what no class is told, no quality is."""
        names = np.asarray(labels, np.intp)
        told = np.where(names == null, UNKNOWN_QUALITY, quality)
        return cls(names, np.full(len(names), strokes), told, codes)

    def keep(self, rows: NDArray[np.intp]) -> Conditions:
        """Keep some of the drawings."""
        codes = None if self.codes is None else self.codes[rows]
        return Conditions(self.labels[rows], self.strokes[rows], self.quality[rows], codes)


class Transformer:
    """The network with its weights."""

    def __init__(
        self, config: ModelConfig, tensors: Mapping[str, Array], scale: float
    ) -> None:
        """Lay out the weights for products from the right.

        Args:
            config: The shape of the network.
            tensors: The weights, as ``expected_shapes`` names them.
            scale: Pixels of the 0-255 frame per model unit.
        """
        self.config, self.scale = config, scale
        inside = {
            name: tensor for name, tensor in tensors.items() if name.startswith("blocks.")
        }
        self.weights: dict[str, Any] = {
            name: tensor if tensor.ndim == 1 or name in _TABLES else Matrix(tensor)
            for name, tensor in tensors.items()
            if name not in inside and not name.startswith(ASIDE)
        }
        self.blocks = [
            _Block.from_tensors(inside, i, config.heads) for i in range(config.layers)
        ]
        self.log_floor = float(np.log(SIGMA_FLOOR / scale))
        half = self.config.width // self.config.heads // 2
        self._rates = ROPE_BASE ** (-np.arange(half) / half)

    @property
    def null(self) -> int:
        """The class of a drawing of which no class is told."""
        return len(self.weights["start.weight"]) - 1

    @np.errstate(over="ignore", invalid="ignore")  # the heads look at what comes of it
    def embed_start(self, conditions: Conditions) -> Array:
        """Embed the start token under n conditions, (n, width)."""
        w = self.weights
        start = w["start.weight"][conditions.labels] + w["strokes.weight"][conditions.strokes]
        start = start + w["quality.weight"][conditions.quality]
        return self._with_code(start, conditions, "code_start.weight")

    @np.errstate(over="ignore", invalid="ignore")
    def embed_points(
        self, conditions: Conditions, features: Array, pens: NDArray[np.intp]
    ) -> Array:
        """Embed points: n conditions, features (n, T, FEATURES), pens (n, T)."""
        w = self.weights
        points = features @ w["point.weight"] + w["pen.weight"][pens]  # (n, T, width)
        told = w["label.weight"][conditions.labels] + w["quality.weight"][conditions.quality]
        return points + self._with_code(told, conditions, "code_point.weight")[:, None]

    @np.errstate(over="ignore", invalid="ignore")
    def gains(self, conditions: Conditions) -> Array | None:
        """What codes make of the norms: (layers, 2, n, 1, width); None without codes."""
        if conditions.codes is None:
            return None
        gains = 1 + self._hear(conditions.codes) @ self.weights["code_gain.weight"]
        parts = gains.reshape(len(gains), self.config.layers, 2, 1, self.config.width)
        return parts.transpose(1, 2, 0, 3, 4)

    def _with_code(self, told: Array, conditions: Conditions, name: str) -> Array:
        """Add what the codes tell, where there are some, to what is told (n, width)."""
        if conditions.codes is None:
            return told
        return told + self._hear(conditions.codes) @ self.weights[name]

    def _hear(self, codes: Array) -> Array:
        """Codes (n, code) on their way into the stream, (n, CODE_HIDDEN)."""
        told = np.concatenate([codes, np.ones((len(codes), 1), np.float32)], axis=1)
        return np.maximum(told @ self.weights["code_hidden.weight"], 0.0)

    @np.errstate(over="ignore", invalid="ignore")
    def forward(self, x: Array, cache: KVCache, gains: Array | None = None) -> Array:
        """Run the blocks on the next T positions of every row.

        Args:
            x: Embedded inputs, (n, T, width).
            cache: What came before; the new keys and values are added.
            gains: See `gains`.

        Returns:
            The normalised stream, (n, T, width).
        """
        n, steps, width = x.shape
        heads = self.config.heads
        past = cache.length
        span = slice(past, past + steps)
        cache.grow(past + steps)
        rotations = self._rotations(past, steps)
        root = np.float32(np.sqrt(width // heads))
        x = x.reshape(n * steps, width)

        def heard(x: Array, layer: int, part: int) -> Array:
            if gains is None:
                return x
            return (x.reshape(n, steps, width) * gains[layer, part]).reshape(x.shape)

        for i, block in enumerate(self.blocks):
            parts = (heard(norm(x), i, 0) @ block.queries_keys_values).reshape(
                n, steps, 3, heads, -1
            )
            turned = _rotate(norm(parts[:, :, :2]), rotations)  # (n, T, 2, h, d)
            queries, cache.keys[i, :, :, span] = turned.transpose(2, 0, 3, 1, 4)
            cache.values[i, :, :, span] = parts[:, :, 2].swapaxes(1, 2)
            keys = cache.keys[i, :, :, : past + steps]  # (n, h, S, d)
            scores = queries @ keys.swapaxes(-1, -2) / root
            if steps > 1:
                scores += np.triu(np.full(scores.shape[2:], -np.inf, np.float32), past + 1)
            mixed = _softmax(scores) @ cache.values[i, :, :, : past + steps]
            x = x + mixed.swapaxes(1, 2).reshape(x.shape) @ block.out
            up = np.maximum(heard(norm(x), i, 1) @ block.up, 0.0)
            x = x + (up * up) @ block.down
        cache.length += steps
        return norm(x).reshape(n, steps, width)

    @np.errstate(over="ignore", invalid="ignore")
    def mixture(self, stream: Array) -> Mixture:
        """Return the distribution of the next offset from the stream (n, width).

        Raises:
            PredictionError: It is none.
        """
        output = stream @ self.weights["mixture.weight"] + self.weights["mixture.bias"]
        return Mixture.from_output(output, self.log_floor)

    @np.errstate(over="ignore", invalid="ignore")
    def pen_logits(self, stream: Array, features: Array) -> Array:
        """Return the logits (n, 3) of the pen after a point with these features.

        Raises:
            PredictionError: They are none.
        """
        w = self.weights
        joint = np.concatenate([stream, features], axis=-1)
        hidden = np.maximum(joint @ w["pen_hidden.weight"] + w["pen_hidden.bias"], 0.0)
        logits = hidden @ w["pen_out.weight"] + w["pen_out.bias"]
        require_below(LARGEST_LOGIT, logits)
        return logits

    def _rotations(self, past: int, steps: int) -> NDArray[np.complex64]:
        angles = np.arange(past, past + steps)[:, None] * self._rates  # (T, d / 2)
        # The same for queries and keys, and for all heads.
        return np.exp(1j * angles).astype(np.complex64)[:, None, None]


def log_likelihood(
    network: Transformer,
    labels: NDArray[np.intp],
    positions: NDArray[np.floating],
    pens: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Log-density of drawings, or of their beginnings, under a class each.

    Args:
        network: The model.
        labels: Classes, (n,).
        positions: Points in the frame, pixels, (n, T, 2).
        pens: What the pen does after each point, the same for all, (T,); after the last
            point it is not counted.

    Returns:
        Nats in pixels, (n,).
    """
    n, steps, _ = positions.shape
    rows = np.broadcast_to(pens, (n, steps))
    features, offsets = describe(positions, pens)
    conditions = Conditions.of(labels.tolist(), network.null, ANY_STROKES)
    start = network.embed_start(conditions)[:, None]
    points = network.embed_points(conditions, features[:, :-1], rows[:, :-1])
    x = np.concatenate([start, points], axis=1)
    stream = network.forward(x, KVCache(network.config, n)).reshape(n * steps, -1)
    density, chosen = log_probabilities(
        network,
        stream,
        features.reshape(n * steps, -1),
        offsets.reshape(-1, 2),
        rows.reshape(-1),
    )
    return density.reshape(n, steps).sum(axis=1) + chosen.reshape(n, steps)[:, :-1].sum(axis=1)


def log_probabilities(
    network: Transformer,
    stream: Array,
    features: Array,
    offsets: NDArray[np.floating],
    pens: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-densities of points, and log-probabilities of what the pen does after them.

    Args:
        network: The model.
        stream: What it knows before each point, (n, width).
        features: The points, (n, FEATURES).
        offsets: The points, from the ones before, pixels, (n, 2).
        pens: What the pen does, (n,).

    Returns:
        Nats in pixels, (n,), and nats, (n,).
    """
    targets = offsets[:, None] / network.scale
    density = network.mixture(stream).log_density(targets) - 2 * np.log(network.scale)
    logits = network.pen_logits(stream, features).astype(np.float64)
    logs = logits - logsumexp(logits)[:, None]
    return density[:, 0], logs[np.arange(len(pens)), pens]


_PARTS = ("query", "key", "value", "out", "up", "down")
_TABLES = tuple(f"{name}.weight" for name in ("start", "label", "strokes", "quality", "pen"))


def norm(x: Array) -> Array:
    """RMSNorm without gain, of rows (..., width)."""
    square = np.vecdot(x, x)[..., None] / np.float32(x.shape[-1])
    return x / np.sqrt(square + np.float32(NORM_EPSILON))


def _rotate(x: Array, rotations: NDArray[np.complex64]) -> Array:
    """Turn (..., d) by (..., d / 2): two channels side by side are a complex number."""
    return (x.view(np.complex64) * rotations).view(np.float32)


def _softmax(x: Array) -> Array:
    # Normalised queries and keys bound the scores by the root of a head's channels, so there
    # is no need to subtract the largest.
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)
