"""Calls of ``generate`` that a monitor watches, and what it should have seen of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

OPTIONS: list[Any] = [[5, 7], 9, [11]]
STEPS = 6
PADDED = {
    "input_ids": torch.tensor([[0, 0, 1, 40, 50], [1, 60, 70, 80, 90]]),
    "attention_mask": torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]),
}
SAMPLED: dict[str, Any] = {
    "do_sample": True,
    "temperature": 0.7,
    "top_k": 20,
    "top_p": 0.8,
    "num_return_sequences": 3,
}
GREEDY: dict[str, Any] = {"do_sample": False}


def generated(model: Any, monitor: Any, way: str, inputs: Any = PADDED, **how: Any) -> Any:
    """Sequences and scores of one call that the monitor watched, and its result."""
    asked: dict[str, Any] = {
        "max_new_tokens": STEPS,
        "return_dict_in_generate": True,
        "output_scores": True,
        "output_logits": True,
        **how,
    }
    if way == "given":
        own = asked.pop("logits_processor", [])
        output = model.generate(**inputs, **asked, logits_processor=[*own, monitor])
        return output, monitor.result(output)
    method = {"model": monitor.as_model, "drawn": monitor.as_drawn}[way]
    output = model.generate(**inputs, **asked, custom_generate=method)
    return output, monitor.result()


def by_hand(model: Any, inputs: Any, sequences: Tensor) -> Tensor:
    """(R, L, V) log-probabilities in float64, from one forward over the finished sequences."""
    prompt = inputs["input_ids"].shape[1]
    samples = len(sequences) // len(inputs["input_ids"])
    rest = {k: v.repeat_interleave(samples, dim=0) for k, v in inputs.items() if k != "input_ids"}
    mask = rest.pop("attention_mask")
    mask = torch.cat([mask, mask.new_ones(len(mask), sequences.shape[1] - prompt)], dim=1)
    position = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = model(
            input_ids=sequences, attention_mask=mask, position_ids=position, **rest
        ).logits
    return logits[:, prompt - 1 : -1].double().log_softmax(-1)


def agree(seen: Any, logp: Tensor, tokens: Tensor, tolerance: float) -> None:
    """All that was measured is of these log-probabilities (R, L, V), up to each row's end."""
    mask = torch.from_numpy(seen.mask)
    p = logp.exp()
    options = torch.stack([p[..., ids].sum(-1) for ids in ([5, 7], [9], [11])], dim=-1)
    mass = options.sum(-1)
    expected = {
        "logprob": logp.gather(-1, tokens[..., None])[..., 0],
        "entropy": torch.special.entr(p).sum(-1),
        "confidence": p.amax(-1),
        "mass": mass,
    }
    for name, values in expected.items():
        ours = torch.from_numpy(getattr(seen, name)).double()
        torch.testing.assert_close(ours[mask], values[mask], rtol=tolerance, atol=tolerance)
        assert ours[~mask].isnan().all()
    several = mask & (mass > 1e-6)  # a filter may leave no option at all
    among = torch.from_numpy(seen.option_prob).double()
    torch.testing.assert_close(
        among[several], (options / mass[..., None])[several], rtol=1e-3, atol=tolerance
    )


def ends_of(model: Any, tokens: Tensor) -> Tensor:
    """(R, L) true up to the first end token."""
    ended = (tokens == model.generation_config.eos_token_id).long()
    return ended.cumsum(1) - ended == 0
