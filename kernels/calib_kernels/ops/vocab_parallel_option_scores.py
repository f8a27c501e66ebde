"""``vocab_parallel_option_scores``: option scores of rows whose columns are divided among ranks.

4 + O M float64 numbers per row are gathered, 32 + 8 O M bytes from each rank (``vocab_parallel``):
behind the four, the logits of the O M tokens that spell the options, each of which one rank has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.distributed as dist
from torch import Tensor

from calib_kernels import checks, dispatch
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.ops.option_scores import TABLE, OptionScores
from calib_kernels.ops.vocab_parallel import bins_of, slice_of, whole_of
from calib_kernels.reference.option_scores import live_ids, scores_of
from calib_kernels.reference.vocabulary import Vocabulary


def vocab_parallel_option_scores(
    logits: Tensor,
    option_ids: Tensor | Sequence[Any],
    labels: Tensor | None = None,
    *,
    first: int | None = None,
    vocab_size: int | None = None,
    group: dist.ProcessGroup | None = None,
    temperature: float | Tensor = 1.0,
    confidence: str = "options",
    ignore_index: int = -100,
    histogram: CalibrationHistogram | None = None,
) -> OptionScores:
    """``option_scores`` of rows whose columns are divided among the ranks of a process group.

    logits (N, V_r), first, vocab_size and group as for ``vocab_parallel_cross_entropy``;
    option_ids are columns of the whole, the same on all ranks, as are the other arguments. Each
    rank returns the scores of the whole rows, and adds them to its histogram: do not reduce these
    again over the group. One all-gather of 32 + 8 O M bytes per row and rank. No gradient flows.
    """
    part = slice_of("vocab_parallel_option_scores", logits, temperature, first, vocab_size, group)
    count, device = logits.shape[0], logits.device
    ids = checks.option_ids(option_ids, count)
    checks.host_option_ids(ids, part.columns)
    wanted = checks.labels(labels, count)
    mode = checks.confidence_mode(confidence)
    if wanted is not None:
        wanted = dispatch.beside(logits, wanted)
    elif histogram is not None:
        raise ValueError("histogram needs labels, got labels=None")
    ids = ids.to(device).expand(count, -1, -1)
    live, wrong = live_ids(ids, part.columns)
    picked = part.logits_at(ids.clamp(0, part.columns - 1).flatten(1))
    whole = whole_of(part, picked, group)
    t = part.rows.t
    row = Vocabulary(whole.token, whole.top[:, None], picked, whole.log_d[:, None], whole.lost)
    *found, counted = scores_of(
        whole.more.view(ids.shape), live, wrong,
        t.double().expand(count) if isinstance(t, Tensor) else t, row, whole.entropy, wanted,
        mode == "vocab", ignore_index,
    )  # fmt: skip
    real = dispatch.real_dtype(logits)
    found = [x.to(real) if x.is_floating_point() else x for x in found]
    scores = TABLE.read(found, ("correct",) if wanted is None else ())
    if histogram is not None and scores.correct is not None:
        delta = bins_of(scores.confidence, scores.correct, counted, histogram.bins)
        histogram.add(delta)
    return scores
