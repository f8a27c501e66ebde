"""What one rank does in ``test_ranks``: ``rank_worker.py TASK FOLDER``, under torch's launcher."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from trainers import Logger, WithLoss, make_trainer  # this folder is the script's path

import calib


def evaluate(folder: Path) -> dict[str, Any]:
    trainer = make_trainer(
        folder, ddp_backend="gloo", compute_loss_func=calib.CalibratedCrossEntropy()
    )
    callback = calib.CalibrationCallback().bind(trainer)
    return {"metrics": trainer.evaluate(), "rows": callback.history[0]["rows"]}


def train(folder: Path) -> dict[str, Any]:
    logger = Logger()
    trainer = make_trainer(
        folder,
        ddp_backend="gloo",
        max_steps=4,
        logging_steps=3,
        eval_strategy="steps",
        eval_steps=2,
        save_strategy="steps",
        save_steps=2,
        compute_loss_func=calib.CalibratedCrossEntropy(),
        callbacks=[logger],
    )
    callback = calib.CalibrationCallback().bind(trainer)
    trainer.train()
    return {
        "history": callback.history,
        "window": logger.under("ece_width15_left"),
        "state": callback.state(),
    }


def resume(folder: Path) -> dict[str, Any]:
    logger = Logger()
    trainer = make_trainer(
        folder,
        ddp_backend="gloo",
        max_steps=3,
        logging_steps=3,
        compute_loss_func=calib.CalibratedCrossEntropy(),
        callbacks=[logger],
    )
    callback = calib.CalibrationCallback().bind(trainer)
    trainer.train(resume_from_checkpoint=str(folder / "checkpoint-2"))
    return {"history": callback.history, "window": logger.under("ece_width15_left")}


def module(folder: Path) -> dict[str, Any]:
    dist.init_process_group("gloo")
    ids = torch.load(folder / "ids.pt", weights_only=True)
    model = DistributedDataParallel(WithLoss())
    for _ in range(2):
        model.zero_grad()
        model(ids[dist.get_rank() :: dist.get_world_size()]).backward()
    inner = model.module
    own = int(inner.criterion.histogram.count.sum())
    total = inner.criterion.histogram.all_reduce()
    return {
        "own": own,
        "sums": total.state_dict()["sums"],
        "temperature": inner.criterion.log_temperature.grad,
        "head": inner.model.lm_head.weight.grad,
    }


def sharded(folder: Path) -> dict[str, Any]:
    dist.init_process_group("gloo")
    ids = torch.load(folder / "ids.pt", weights_only=True)
    model = WithLoss()
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    try:
        model.criterion(torch.randn(3, 5), torch.arange(3))
        refusal = ""
    except RuntimeError as error:
        refusal = str(error)
    model(ids[dist.get_rank() :: 2]).backward()
    criterion, head = model.criterion, model.model.lm_head.weight
    found = {
        "sums": criterion.histogram.all_reduce().state_dict()["sums"],
        "grad": criterion.log_temperature.grad.full_tensor(),
        "temperature": criterion.temperature,
        "shown": repr(criterion),
        "refusal": refusal,
        "head": head.grad.full_tensor(),
    }
    model.eval()
    with torch.no_grad():
        return {**found, "evaluated": model(ids)}


def metric(folder: Path) -> dict[str, Any]:
    dist.init_process_group("gloo")
    confidence, correct = torch.load(folder / "rows.pt", weights_only=True)
    own = slice(dist.get_rank(), None, dist.get_world_size())
    found = calib.metrics.CalibrationError(bins=10, dist_sync_on_step=True)
    batch = found(confidence[own][:50], correct[own][:50])  # forward: this batch, all ranks
    found.update(confidence[own][50:], correct[own][50:])
    value, again = found.compute(), found.compute()
    own_rows = int(found.histogram.count.sum())
    return {"value": value, "again": again, "batch": batch, "own": own_rows}


if __name__ == "__main__":
    torch.set_num_threads(1)
    task, folder = sys.argv[1], Path(sys.argv[2])
    known = (evaluate, train, resume, module, sharded, metric)
    result = {function.__name__: function for function in known}[task](folder)
    torch.save(result, folder / f"{task}-{os.environ['RANK']}.pt")
    # A rank that left while another still talked to it would take that one down.
    dist.barrier()
    dist.destroy_process_group()
    # Without torch's own teardown, which on a busy machine may end in std::terminate.
    sys.stdout.flush()
    os._exit(0)
