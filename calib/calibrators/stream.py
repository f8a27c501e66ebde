"""The temperature of logits that are seen once and not kept: T from sums on a grid.

One pass keeps, at each of ``GRID``, the sums of the negative log-likelihood and of its two
derivatives. T is the minimum of the polynomial of degree five that has all of these at both ends of
the interval where the slope changes its sign.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from calib.calibrators.temperature import (
    GOLD_NOT_ABOVE,
    DegenerateTemperatureWarning,
    TemperatureScaling,
)
from calib.records import InputError

if TYPE_CHECKING:
    from torch import Tensor

GRID = [32.0 / (2**k * (1 + part / 8)) for k in range(10) for part in range(8)] + [32.0 / 2**10]
"""32 down to 1/32. Inverse temperatures that are doubles of each other share one exponential.

Eight an octave: a vocabulary's many unlikely tokens may take over within a tenth of 1/T, and two an
octave were wrong by up to 0.2 % there.
"""
AS_IT_IS = GRID.index(1.0)
Floats = NDArray[np.float64]
INSIDE = f"{GRID[-1]:.3g} .. {GRID[0]:g}"


class TemperatureStream:
    """Sums over batches of logits, on their device; nothing waits for it before ``fit``.

    The state is 3 x 81 sums and two counts, whatever the batches' number and width.
    """

    def __init__(self) -> None:
        self._sums: Tensor | None = None  # (3, K): likelihood, slope and curvature
        self._rows: Tensor | None = None  # (2,): labelled, and of these counted

    def update(
        self,
        logits: Tensor,
        labels: Tensor,
        *,
        option_ids: Any = None,
        ignore_index: int = -100,
    ) -> Self:
        """Add a batch: logits (N, V), and labels (N,), classes or with option_ids options.

        ``option_ids`` and ``ignore_index`` as for ``calib_kernels.temperature_sweep``.
        """
        import torch
        from calib_kernels import temperature_sweep

        swept = temperature_sweep(
            logits.detach(),
            labels,
            GRID,
            option_ids=option_ids,
            derivatives=2,
            ignore_index=ignore_index,
        )
        assert swept.grad is not None and swept.hess is not None
        return self._add(
            torch.stack((swept.nll, swept.grad, swept.hess)),
            torch.stack(((labels != ignore_index).sum().to(swept.count.device), swept.count)),
        )

    def merge(self, other: TemperatureStream) -> Self:
        """Add what another stream has seen, on whichever device."""
        if other._sums is None or other._rows is None:
            return self
        return self._add(other._sums, other._rows)

    def _add(self, sums: Tensor, rows: Tensor) -> Self:
        if self._sums is None or self._rows is None:
            self._sums, self._rows = sums.clone(), rows.clone()
        else:
            self._sums += sums.to(self._sums.device)
            self._rows += rows.to(self._rows.device)
        return self

    def fit(self) -> TemperatureScaling:
        """The temperature of everything seen, without bounds: these need every row's slope.

        Raises InputError where nothing was seen, or a row has no likelihood. Warns where the best
        temperature lies outside the grid; the grid's end is taken.
        """
        if self._sums is None or self._rows is None or not bool(self._rows[0]):
            raise InputError("this TemperatureStream has seen no labelled row: call update first")
        labelled, counted = self._rows.tolist()
        sums = self._sums.cpu().numpy()
        if counted < labelled or not np.isfinite(sums).all():
            raise InputError(
                f"logits: of the {labelled:,} rows some hold NaN or +inf, or a label that is out "
                "of range or has the logit -inf, and have no likelihood"
            )
        return fitted(sums / counted, counted)


def fitted(means: Floats, n: int) -> TemperatureScaling:
    """The temperature from means (3, K) over n rows at ``GRID``."""
    from scipy.interpolate import BPoly
    from scipy.optimize import brentq

    scaling = TemperatureScaling(method="streamed")
    scaling.n_fit_, scaling.nll_before_ = n, float(means[0, AS_IT_IS])
    beta = 1 / np.array(GRID)
    nll, slope, curvature = means[0], beta * means[1], beta**2 * means[2] + beta * means[1]
    rising = means[1] > 0
    if rising[0] or not rising[-1]:
        end = 0 if rising[0] else -1
        scaling.temperature_, scaling.nll_after_ = GRID[end], float(nll[end])
        reason = f"the best temperature lies outside {INSIDE}, the range of one pass"
        if not curvature.any():
            scaling.temperature_, scaling.nll_after_ = 1.0, scaling.nll_before_
            reason = "every row's logits are constant, so the temperature has no effect"
        elif end == 0:
            reason += f": {GOLD_NOT_ABOVE}"
        scaling.degenerate_, scaling.reason_ = True, reason
        warnings.warn(
            f"{reason}; the temperature was set to {scaling.temperature_:g}",
            DegenerateTemperatureWarning,
            stacklevel=3,
        )
        return scaling
    after = int(rising.argmax())
    ends = slice(after - 1, after + 1)
    t = np.log(beta[ends])
    polynomial = BPoly.from_derivatives(
        t, list(zip(nll[ends], slope[ends], curvature[ends], strict=True))
    )
    best = brentq(polynomial.derivative(), *t, xtol=1e-13)
    scaling.temperature_, scaling.nll_after_ = math.exp(-best), float(polynomial(best))
    return scaling
