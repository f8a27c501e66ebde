"""``sample``: a token of every row, with its log-probability and the row's entropy."""

from __future__ import annotations

from typing import Any

import calib_kernels
import torch
from torch import Tensor

from bench.cases import Case, Compiler, Given, Op, Rival, Run, close, normal_logits

MODES = ("", "top-p 0.9", "16 draws", "top-k 50")
DRAWS = {"16 draws": 16}
TOP_P = {"top-p 0.9": 0.9}
TOP_K = {"top-k 50": 50}


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """Logits (N, V), the rows' items (N,) and sample numbers (N,) or (N, S)."""
    logits = normal_logits(case, device, generator)
    items = torch.arange(case.rows, device=device)
    draws = DRAWS.get(case.mode)
    number = torch.zeros_like(items)
    if draws:
        number = torch.arange(draws, device=device).expand(case.rows, draws).contiguous()
    return logits, items, number


def ours(case: Case) -> Run:
    def run(logits: Tensor, items: Tensor, number: Tensor) -> tuple[Tensor, ...]:
        drawn = calib_kernels.sample(
            logits, top_p=TOP_P.get(case.mode, 1.0), top_k=TOP_K.get(case.mode, 0),
            seed=1, item=items, sample=number, step=0,
        )  # fmt: skip
        return drawn.token, drawn.logprob, drawn.entropy

    return run


def plain(case: Case, compiled: Compiler) -> Run:
    draws, top_p, top_k = (of.get(case.mode) for of in (DRAWS, TOP_P, TOP_K))

    def run(logits: Tensor, items: Tensor, number: Tensor) -> tuple[Tensor, ...]:
        logp = torch.log_softmax(logits, 1, dtype=torch.float32)
        p = logp.exp()
        entropy = -(p * logp).sum(1)
        if top_p is not None:
            ordered, order = p.sort(dim=1, descending=True, stable=True)
            beyond = ordered.cumsum(1) - ordered >= top_p
            kept = torch.zeros_like(p).scatter(1, order, ordered.masked_fill(beyond, 0.0))
            p = kept / kept.sum(1, keepdim=True)
            logp = p.log()
        if top_k is not None:
            largest, order = p.topk(min(top_k, p.shape[1]))
            kept = torch.zeros_like(p).scatter(1, order, largest)
            p = kept / kept.sum(1, keepdim=True)
            logp = p.log()
        token = torch.multinomial(p, draws or 1, replacement=True)
        logprob = logp.gather(1, token)
        return (token, logprob, entropy) if draws else (token[:, 0], logprob[:, 0], entropy)

    return compiled(run)


def by_multinomial(case: Case) -> Run:
    """softmax, multinomial, log_softmax, gather: no entropy."""

    def run(logits: Tensor, items: Tensor, number: Tensor) -> tuple[Tensor, ...]:
        token = torch.multinomial(torch.softmax(logits, 1, dtype=torch.float32), 1)
        logp = torch.log_softmax(logits, 1, dtype=torch.float32)
        return token[:, 0], logp.gather(1, token)[:, 0]

    return run


def by_cumsum(case: Case) -> Run:
    """softmax, cumsum, searchsorted: the token alone."""

    def run(logits: Tensor, items: Tensor, number: Tensor) -> tuple[Tensor, ...]:
        below = torch.softmax(logits, 1, dtype=torch.float32).cumsum(1)
        u = torch.rand(len(below), 1, device=below.device) * below[:, -1:]
        return (torch.searchsorted(below, u)[:, 0],)

    return run


def of_flashinfer(case: Case) -> Run:
    """Gumbel noise on the logits: the token alone."""
    from flashinfer.sampling import sampling_from_logits

    return lambda logits, items, number: (sampling_from_logits(logits),)


def of_flashinfer_top_p(case: Case) -> Run:
    from flashinfer.sampling import softmax, top_p_sampling_from_probs

    return lambda logits, items, number: (
        top_p_sampling_from_probs(softmax(logits.float()), TOP_P[case.mode]),
    )


def of_flashinfer_top_k(case: Case) -> Run:
    from flashinfer.sampling import softmax, top_k_sampling_from_probs

    return lambda logits, items, number: (
        top_k_sampling_from_probs(softmax(logits.float()), TOP_K[case.mode]),
    )


def is_left(case: Case, logits: Tensor, token: Tensor) -> Tensor:
    """(N,) whether the mode's filter leaves the token (N,), whichever of equal ones it takes."""
    x = logits.float()
    larger = x > x.gather(1, token[:, None])
    if case.mode in TOP_K:
        return larger.sum(1) < TOP_K[case.mode]
    # Rivals sum 1e5 probabilities in float32, in orders of their own.
    return (x.softmax(1) * larger).sum(1) < TOP_P[case.mode] + 1e-3


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    """Draws differ; their range, the log-probability of each and the entropies do not."""
    logits, _items, number = given
    token = found[0].long()
    assert token.shape == number.shape, f"tokens have shape {tuple(token.shape)}"
    assert bool(((token >= 0) & (token < case.columns)).all()), "a token is out of range"
    filtered = case.mode in TOP_P or case.mode in TOP_K
    if filtered:
        assert bool(is_left(case, logits, token).all()), "a token is filtered"
    if len(found) > 1 and not filtered:
        logp = torch.log_softmax(logits, 1, dtype=torch.float32)
        close(found[1], logp.gather(1, token.view(len(logits), -1)).view(token.shape))
    if len(found) > 2:
        # Ours may say it once a draw or once a row.
        rows = [t[2].reshape(len(logits), -1)[:, 0] for t in (found, expected)]
        close(*rows, atol=1e-3)


def moved_bytes(case: Case) -> int:
    """Logits once, 12 bytes a draw and 20 a row."""
    return case.logit_bytes + case.rows * (12 * DRAWS.get(case.mode, 1) + 20)


CUDA, FLASHINFER = ("cuda",), "flashinfer-python"
OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    moved_bytes=moved_bytes,
    modes=MODES,
    rivals={
        "multinomial": Rival(by_multinomial, modes=("",)),
        "cumsum": Rival(by_cumsum, modes=("",)),
        "flashinfer": Rival(of_flashinfer, CUDA, ("",), package=FLASHINFER),
        "flashinfer top-p": Rival(of_flashinfer_top_p, CUDA, tuple(TOP_P), package=FLASHINFER),
        "flashinfer top-k": Rival(of_flashinfer_top_k, CUDA, tuple(TOP_K), package=FLASHINFER),
    },
)
