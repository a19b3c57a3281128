"""How fast training is: the real loop's updates on the real loader's batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from torch import nn

from gaitway.bench.measure import Comparison, PeakMemory, compare, in_turns, synchronise
from gaitway.data.reader import Residency
from gaitway.data.store import Store
from gaitway.training.devices import Accelerator, StopSignals, create_fabric
from gaitway.training.loop import update
from gaitway.training.recipe import Precision, Recipe
from gaitway.training.session import Session
from gaitway.types import Batch

Done = Callable[[int, int], None]
WARM_UP = 2
"""Steps that do not count: kernels are chosen and memory is taken in them."""


@dataclass(frozen=True)
class TrainingSpeed:
    """Throughput of training steps.

    Args:
        batch: Sequences and frames per step.
        steps_per_second: Steps, with all that the loop does in one but logging, evaluation and checkpoints.
        sequences_per_second: Sequences.
        frames_per_second: Frames.
        data_wait: Share of the time that the step waited for its batch.
        peak_memory: Bytes; see `PeakMemory`.
        residency: Where the frames of each modality were kept.
    """

    batch: tuple[int, int]
    steps_per_second: float
    sequences_per_second: float
    frames_per_second: float
    data_wait: float
    peak_memory: int
    residency: dict[str, str]


@dataclass(frozen=True)
class Variant:
    """How the steps of a comparison are computed."""

    precision: Precision = "32"
    channels_last: bool = False
    compile_model: bool = False

    @property
    def name(self) -> str:
        """For tables."""
        parts = [{"32": "float32", "bf16": "bf16", "fp16": "fp16"}[self.precision]]
        parts += ["channels-last"] * self.channels_last + ["compiled"] * self.compile_model
        return " ".join(parts)


def bench_training(
    recipe: Recipe,
    store: Store,
    *,
    steps: int,
    accelerator: Accelerator = "auto",
    residency: Residency = "auto",
    compile_model: bool = False,
    done: Done | None = None,
) -> TrainingSpeed:
    """Train for some steps, in the recipe's precision, and measure.

    Args:
        recipe: What to train and how.
        store: The data set.
        steps: Steps that count.
        accelerator: Where to compute.
        residency: Where the frames are kept.
        compile_model: Whether `torch.compile` makes the model's kernels.
        done: Told after each step how many are done and how many there are.

    Raises:
        ValueError: when recipe and store do not go together.
    """
    session = _session(recipe, store, Variant(recipe.training.precision, True, compile_model), accelerator, residency)
    device = session.fabric.device
    num_frames = 0
    with StopSignals() as stop, TemporaryDirectory() as run, PeakMemory(device) as memory:
        for done_before, batch in enumerate(islice(session.loader.batches(), WARM_UP + steps)):
            if done_before == WARM_UP:
                synchronise(device)
                begun, waited = perf_counter(), session.loader.wait_seconds
            if done_before >= WARM_UP:
                num_frames += _num_frames(batch)
            session.step = done_before  # of a supernet each step takes another path
            update(session, batch, Path(run), stop)
            if stop.received:
                raise KeyboardInterrupt
            if done is not None:
                done(done_before + 1, WARM_UP + steps)
        synchronise(device)
        seconds, waited = perf_counter() - begun, session.loader.wait_seconds - waited
    return TrainingSpeed(
        batch=(len(batch), _num_frames(batch)),
        steps_per_second=steps / seconds,
        sequences_per_second=steps * len(batch) / seconds,
        frames_per_second=num_frames / seconds,
        data_wait=waited / seconds,
        peak_memory=memory.bytes,
        residency=session.loader.residency,
    )


def compare_training(
    recipe: Recipe,
    store: Store,
    *,
    repeats: int,
    accelerator: Accelerator = "auto",
    compile_model: bool = False,
    done: Done | None = None,
) -> Comparison:
    """Seconds of a training step computed in several ways, in turns on the same batch.

    The first way is plain: float32, contiguous, eager. The batch is ready before the time runs.

    Args:
        recipe: What to train and how.
        store: The data set.
        repeats: Steps of each way that count.
        accelerator: Where to compute.
        compile_model: Compare with compiled models too.
        done: Told after each step how many are done and how many there are.

    Raises:
        ValueError: when recipe and store do not go together.
    """
    variants = [Variant(p, channels_last) for p in ("32", "bf16") for channels_last in (False, True)]
    if compile_model:
        variants += [replace(variant, compile_model=True) for variant in variants if variant.channels_last]
    sessions = {variant.name: _session(recipe, store, variant, accelerator, "auto") for variant in variants}
    plain = next(iter(sessions.values()))
    batch = plain.loader.batch(0)
    with StopSignals() as stop, TemporaryDirectory() as run:

        def step(session: Session) -> None:
            update(session, batch, Path(run), stop)
            if stop.received:
                raise KeyboardInterrupt

        times = in_turns(
            {name: partial(step, session) for name, session in sessions.items()},
            repeats=repeats,
            device=plain.fabric.device,
            done=done,
        )
    return compare(times, baseline=variants[0].name)


def _session(recipe: Recipe, store: Store, variant: Variant, accelerator: Accelerator, residency: Residency) -> Session:
    fabric = create_fabric(accelerator=accelerator, precision=variant.precision)
    fabric.launch()
    session = Session(
        fabric, recipe, store, recipe_name="bench", residency=residency, compile_model=variant.compile_model
    )
    if not variant.channels_last:
        for layer in session.model.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.data = layer.weight.data.contiguous()
    session.train_mode()
    return session


def _num_frames(batch: Batch) -> int:
    frames = next(iter(batch.frames.values()))
    return len(frames) if batch.lengths is not None else len(batch) * frames.shape[1]
