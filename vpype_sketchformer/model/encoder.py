"""From a drawing to a code, and codes that nobody drew: in NumPy.

A code is a drawing's layout in a few dozen numbers; the model is conditioned on it where one
is told (a variational autoencoder, Kingma & Welling 2014, whose decoder also draws without).
The encoder looks at the drawing's picture, see ``model.sight``: where the drawing lies, how
large it is and in what order it was drawn cannot matter. ``training.model`` is the same
network in torch; a parity test keeps the two one model.

Codes of a class lie about a mean with deviations that were learnt together with them, so that
a code can be invented, or moved by as much as the class allows.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.model import sight
from vpype_sketchformer.model.checkpoint import Checkpoint
from vpype_sketchformer.model.sight import Array, Stroke
from vpype_sketchformer.model.transformer import norm, on_one_thread

#: How far codes are invented from the middle of a class, as a share of how far people's are:
#: further out, few that a Gaussian invents are anybody's.
INVENTED_SPREAD = 0.7


@dataclass(frozen=True, eq=False)
class Encoder:
    """What a model knows of codes.

    Attributes:
        tensors: Its weights, as ``checkpoint.encoder_shapes`` names them.
        classes: Names of the classes; one more, the null class, stands for any drawing.
    """

    tensors: Mapping[str, Array]
    classes: tuple[str, ...]

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Encoder | None:
        """Take the encoder of a model; None where it has none."""
        if not checkpoint.config.code:
            return None
        return cls(checkpoint.tensors, checkpoint.classes)

    @on_one_thread
    def encode(self, drawings: Sequence[Sequence[Stroke]]) -> Array:
        """Read drawings.

        Args:
            drawings: The strokes of each, (n, 2) of finite x, y, y down, in any unit; one
                point at least.

        Returns:
            Their codes, (drawings, code).
        """
        seen = sight.see(self.eyes, sight.draw(*sight.join(drawings)))
        return norm(seen.reshape(len(drawings), -1)) @ self.tensors["encoder.code.weight"].T

    @functools.cached_property
    def eyes(self) -> dict[str, Array]:
        """The weights of what looks, laid out for it."""
        begin = "encoder."
        own = {
            n.removeprefix(begin): t for n, t in self.tensors.items() if n.startswith(begin)
        }
        return sight.lay_out(own)

    def invent(self, label: str | None, rng: np.random.Generator, count: int) -> Array:
        """Draw codes as those of a class lie, (count, code); None is any drawing."""
        mean, spread = self._prior(label)
        spread = np.float32(INVENTED_SPREAD) * spread
        return mean + spread * rng.standard_normal((count, len(mean))).astype(np.float32)

    def vary(
        self,
        code: NDArray[np.floating],
        label: str | None,
        amount: float,
        rng: np.random.Generator,
        count: int,
    ) -> Array:
        """Move a code towards others of its class.

        The further away, the less of it is left, so that what is as likely as people's
        drawings stays so (as in preconditioned Crank-Nicolson steps, Cotter et al. 2013).

        Args:
            code: The code, (code,).
            label: Its class; None where it is not known.
            amount: From 0, the same code, to 1, any other of the class.
            rng: Where chance comes from.
            count: How many to make.

        Returns:
            Codes, (count, code).
        """
        mean, _ = self._prior(label)
        kept = np.float32(np.sqrt(1.0 - amount * amount))
        others = self.invent(label, rng, count)
        return mean + kept * (code - mean) + np.float32(amount) * (others - mean)

    def distances(
        self, codes: NDArray[np.floating], others: NDArray[np.floating], label: str | None
    ) -> NDArray[np.float64]:
        """Return how far codes (..., code) are from others, in deviations of a class."""
        _, spread = self._prior(label)
        return np.sqrt(np.square((codes - others) / spread, dtype=np.float64).mean(axis=-1))

    def _prior(self, label: str | None) -> tuple[Array, Array]:
        row = len(self.classes) if label is None else self.classes.index(label)
        spread: Array = np.exp(self.tensors["prior.log_spread"][row])
        return self.tensors["prior.mean"][row], spread
