"""A percentile of slices, and how sure it is: a bootstrap over rounds.

A *distribution* is an array: first the measured value, then the values of resampled runs, always the same ones. So
quotients and differences of distributions are distributions again, and noise that all of them share cancels out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Distribution = NDArray[np.float64]

_RESAMPLED = 2000
_PERCENTILE = 10  # what the quiet moments cost: noise of others only ever adds
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A measured value with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int = 3) -> str:
        """The value and the larger distance to an end of the interval."""
        distance = max(self.high - self.value, self.value - self.low)
        return f"{self.value:.{digits}f} ±{distance:.{digits}f}"


def p10(values: Sequence[float]) -> float:
    return float(np.percentile(values, _PERCENTILE))


def distribution(rounds: Sequence[Sequence[float]], percentile: float = _PERCENTILE) -> "Distribution":
    """The percentile over all slices, and of runs made of as many rounds drawn from these with replacement."""
    slices = np.asarray(rounds, np.float64)
    picks = np.random.default_rng(len(slices)).integers(len(slices), size=(_RESAMPLED, len(slices)))
    resampled = np.percentile(slices[picks].reshape(_RESAMPLED, -1), percentile, axis=1)
    return np.concatenate(([np.percentile(slices, percentile)], resampled))


def estimate(values: "Distribution") -> Estimate:
    low, high = np.percentile(values[1:], _INTERVAL)
    return Estimate(float(values[0]), float(low), float(high))


def least(values: Sequence["Distribution"]) -> "Distribution":
    """The least of several, in the measured run and in each resampled one."""
    return _fold(np.minimum, values)


def greatest(values: Sequence["Distribution"]) -> "Distribution":
    return _fold(np.maximum, values)


def _fold(function: Callable[..., "Distribution"], values: Sequence["Distribution"]) -> "Distribution":
    return reduce(function, values)
