"""Where a drawing goes on: mixtures of Gaussians in the plane (Bishop 1994, Graves 2013)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpype_sketchformer.model.features import Array
from vpype_sketchformer.wording import OneLineError

#: Smallest standard deviation of a mixture component, in pixels of the 0-255 frame: data
#: are whole pixels, whose rounding alone has a deviation of 0.29.
SIGMA_FLOOR = 0.2
#: The largest numbers that a trained network comes near: of the mixture's output, and of the
#: logarithm of a deviation. With larger ones, nothing can be drawn.
LARGEST_OUTPUT, LARGEST_LOG_SCALE = 1e6, 20.0


class PredictionError(OneLineError):
    """A network whose predictions are of no use; the message is one clear line."""

    def __init__(self) -> None:
        super().__init__("the model's predictions are not numbers: its file is damaged.")


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians in the plane for each of n rows, in model units.

    Attributes:
        logits: Weights before the softmax, (n, K).
        means: Centres, (n, K, 2).
        log_scales: Logarithm of the Cholesky factor's diagonal, (n, K, 2).
        shears: The Cholesky factor's entry below the diagonal, (n, K).
    """

    logits: Array
    means: Array
    log_scales: Array
    shears: Array

    @classmethod
    def from_output(cls, output: Array, log_floor: float) -> Mixture:
        """Unpack the head's output (n, 6 K), keeping scales above the floor.

        Raises:
            PredictionError: The output is not finite, or absurdly large.
        """
        require_below(LARGEST_OUTPUT, output)
        parts = output.reshape(len(output), 6, -1)  # (n, 6, K)
        log_scales = log_floor + np.logaddexp(0.0, parts[:, 3:5] - log_floor)
        require_below(LARGEST_LOG_SCALE, log_scales)
        return cls(
            parts[:, 0],
            parts[:, 1:3].transpose(0, 2, 1),
            log_scales.transpose(0, 2, 1).astype(np.float32),
            parts[:, 5],
        )

    def rows(self, rows: slice) -> Mixture:
        """Take some of the rows."""
        return Mixture(
            self.logits[rows], self.means[rows], self.log_scales[rows], self.shears[rows]
        )

    def log_density(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Logarithm of the density.

        Args:
            points: Offsets in model units, (n, m, 2): m for each row.

        Returns:
            Nats, (n, m).
        """
        logits = self.logits.astype(np.float64)
        log_weights = logits - logsumexp(logits)[:, None]  # (n, K)
        delta = points[:, :, None] - self.means[:, None]  # (n, m, K, 2)
        scales = np.exp(self.log_scales.astype(np.float64))[:, None]  # (n, 1, K, 2)
        u = delta[..., 0] / scales[..., 0]
        v = (delta[..., 1] - self.shears[:, None] * u) / scales[..., 1]
        log_area = self.log_scales.sum(axis=-1, dtype=np.float64) + np.log(2 * np.pi)
        parts = (log_weights - log_area)[:, None] - 0.5 * (u * u + v * v)  # (n, m, K)
        return logsumexp(parts)


def require_below(most: float, values: NDArray[np.floating]) -> None:
    """Refuse predictions that are no numbers, or absurdly large.

    Raises:
        PredictionError: They are.
    """
    if not np.all(np.abs(values) < most):  # not ">=", since NaN must fail
        raise PredictionError


def logsumexp(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the sum of exponentials over the last axis."""
    top = x.max(axis=-1)
    return np.log(np.exp(x - top[..., None]).sum(axis=-1)) + top
