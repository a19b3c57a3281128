"""Everything that a training run consists of, built from a recipe and a store, saved and restored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from gaitway.data.loader import TrainLoader
from gaitway.data.reader import Residency
from gaitway.data.store import INDEX, Store
from gaitway.data.usable import usable_rows
from gaitway.evaluation import Result
from gaitway.skeletons import COCO17, OPENPOSE18
from gaitway.training.batch_norm import freeze_batch_norm, synchronise_batch_norm
from gaitway.training.checkpoint import checkpoint_path, model_config, read_trainer, read_weights, save_checkpoint
from gaitway.training.checkpoint import load_weights as fit_weights
from gaitway.training.devices import device_kind, loss_scaler, precision_for
from gaitway.training.evaluating import (
    check_protocol,
    embed_test_subjects,
    evaluate_embeddings,
    load_protocols,
    sequences_to_embed,
)
from gaitway.training.objective import Objective
from gaitway.training.optim import Updates, build_optimizer, build_schedule
from gaitway.training.recipe import Recipe


class Session:
    """A run's model, losses, optimiser, schedule and batches, and how many updates it has done (`step`).

    `usable` are the training sequences that the model can take, and the names of those that it can't.

    Args:
        fabric: Launched.
        recipe: What to train and how.
        store: The data set.
        recipe_name: What the recipe was loaded by.
        residency: Where the frames are kept.
        compile_model: Whether `torch.compile` makes the model's kernels.

    Raises:
        ValueError: when recipe and store do not go together.
    """

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        store: Store,
        *,
        recipe_name: str,
        residency: Residency = "auto",
        compile_model: bool = False,
    ) -> None:
        self.fabric, self.recipe, self.store = fabric, recipe, store
        self.recipe_name, self.residency = recipe_name, residency
        modalities = modalities_of(recipe)
        min_frames = recipe.data.min_frames
        check_store(recipe, store, modalities[0])
        self.partition = recipe.data.load_partition()
        self.usable = usable_rows(store, self.partition.rows(store, "train", ()), modalities, min_frames)
        self.rows = self.usable.rows
        if is_supernet(recipe):
            check_supernet(recipe, compile_model=compile_model)
        if recipe.training.evaluate_every:
            (protocol,) = load_protocols([recipe.evaluation.protocol], self.partition)
            test = sequences_to_embed(store, self.partition, modalities, [protocol], min_frames)
            check_protocol(protocol, store, test.rows)
        # classes in the order of published classifiers: by name
        self.classes, labels = np.unique(store.index.subjects[self.rows], return_inverse=True)
        self.num_single = int(np.sum(np.bincount(labels) == 1))  # subjects of one sequence

        torch.manual_seed(recipe.training.seed)  # every process starts from the same weights
        model = recipe.build_model(len(self.classes))
        if recipe.training.sync_batch_norm and fabric.world_size > 1:
            model = synchronise_batch_norm(model, fabric.device)
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
        if compile_model:
            model.compile()
        self.model = model
        objective = Objective(model=model, losses=recipe.build_losses(len(self.classes)))
        optimizer = build_optimizer(recipe.optimizer, objective.parameters())
        schedule = build_schedule(recipe.schedule, optimizer)
        self.losses = objective.losses
        self.objective, wrapped = fabric.setup(objective, optimizer)
        self.updates = Updates(wrapped, schedule, loss_scaler(fabric), idle_gradients=recipe.training.idle_gradients)
        self.loader = TrainLoader(
            store,
            self.rows,
            labels,
            recipe.build_sampler(),
            recipe.frames,
            recipe.build_transforms(),
            modalities=modalities,
            seed=recipe.training.seed,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
            device=fabric.device,
            residency=residency,
        )
        self.step = 0

    def train_mode(self) -> None:
        """Put the model into training mode, with batch normalisation frozen where the recipe says so."""
        self.objective.train()
        if self.recipe.training.frozen_batch_norm:
            freeze_batch_norm(self.model)

    def begin_step(self) -> None:
        """Tell a model whose steps differ which one comes; it depends on the number alone, so a resumed run repeats."""
        begin: Callable[[int], None] | None = getattr(self.model, "begin_step", None)
        if begin is not None:
            begin(self.step)

    def clip_gradients(self) -> None:
        """Scale the gradients down to the largest norm that the recipe allows, or clamp their elements, if it says so.

        Whether gradients overflowed under fp16 the loss scaler has seen before.
        """
        training, optimizer = self.recipe.training, self.updates.optimizer
        if training.clip_gradient_norm is not None:
            self.fabric.clip_gradients(
                self.objective, optimizer, max_norm=training.clip_gradient_norm, error_if_nonfinite=False
            )
        if training.clip_gradient_value is not None:
            self.fabric.clip_gradients(self.objective, optimizer, clip_val=training.clip_gradient_value)

    def copy_buffers(self) -> list[Tensor]:
        """The model's buffers (running statistics) as they are now."""
        return [buffer.clone() for buffer in self.model.buffers()]

    @torch.no_grad()
    def restore_buffers(self, copies: list[Tensor]) -> None:
        """Put back what `copy_buffers` gave."""
        for buffer, copy in zip(self.model.buffers(), copies, strict=True):
            buffer.copy_(copy)

    def start_from(self, checkpoint: Path, *, partial: bool = False) -> list[str]:
        """Take the weights of a checkpoint; what the model names in `starts_fresh` may be missing there.

        Returns what did not fit or was missing and starts fresh.

        Raises:
            ValueError: when something does not fit and not `partial`.
        """
        may_lack: Sequence[str] = getattr(self.model, "starts_fresh", ())
        return fit_weights(
            self.model, read_weights(checkpoint), source=str(checkpoint), partial=partial, may_lack=may_lack
        )

    def resume(self, checkpoint: Path) -> None:
        """Go on exactly from a checkpoint of the same run.

        Raises:
            ValueError: when the store is not the one that the run was trained on.
        """
        fit_weights(self.model, read_weights(checkpoint), source=str(checkpoint))
        state = read_trainer(checkpoint)
        if state["store"] != self.store.manifest.checksums[INDEX]:
            raise ValueError(
                f"{self.store.path} has other sequences than the store that {checkpoint} was trained on, so the run "
                "cannot go on as it would have; give that store, or start a new run from these weights by --init"
            )
        self.losses.load_state_dict(state["losses"])
        self.updates.load_state_dict(state["updates"])
        torch.set_rng_state(state["random"]["cpu"])
        if self.fabric.device.type == "cuda" and "cuda" in state["random"]:
            torch.cuda.set_rng_state(state["random"]["cuda"], self.fabric.device)
        self.step = state["step"]

    def save(self, run: Path) -> Path:
        """Write a checkpoint of this step into the run's folder, by the first process, if there is none yet."""
        folder = checkpoint_path(run, self.step)
        if self.fabric.is_global_zero and not folder.exists():
            random = {"cpu": torch.get_rng_state()}
            if self.fabric.device.type == "cuda":
                random["cuda"] = torch.cuda.get_rng_state(self.fabric.device)
            save_checkpoint(
                folder,
                weights=self.model.state_dict(),
                config=model_config(
                    self.recipe, recipe_name=self.recipe_name, num_classes=len(self.classes), step=self.step
                ),
                trainer={
                    "step": self.step,
                    "store": self.store.manifest.checksums[INDEX],
                    "losses": self.losses.state_dict(),
                    "updates": self.updates.state_dict(),
                    "random": random,
                },
            )
        return folder

    def evaluate(self) -> list[Result]:
        """Evaluate the model as it is, by the recipe's protocol."""
        kind = device_kind("cuda" if self.fabric.device.type == "cuda" else "cpu")
        evaluation = self.recipe.evaluation
        evaluation = replace(evaluation, precision=precision_for(None, evaluation.precision, kind))
        protocols = load_protocols([evaluation.protocol], self.partition, evaluation.rerank)
        embeddings = embed_test_subjects(
            self.fabric,
            self.model,
            self.store,
            self.partition,
            evaluation,
            protocols=protocols,
            min_frames=self.recipe.data.min_frames,
            residency=self.residency,
        )
        return evaluate_embeddings(self.fabric, embeddings, protocols, distance=evaluation.distance)


def modalities_of(recipe: Recipe) -> tuple[str, ...]:
    """What the recipe's model takes."""
    with torch.device("meta"):  # no memory, no arithmetic
        return cast(tuple[str, ...], recipe.build_model(num_classes=1).modalities)


def is_supernet(recipe: Recipe) -> bool:
    """Whether each step of the recipe's training uses other parts of its model."""
    with torch.device("meta"):
        return bool(getattr(recipe.build_model(num_classes=1), "is_supernet", False))


def check_supernet(recipe: Recipe, *, compile_model: bool) -> None:
    """Make sure that a supernet's training asks for nothing that needs one network.

    Raises:
        ValueError: when it does.
    """
    if recipe.training.evaluate_every:
        raise ValueError(
            f"training.evaluate_every is {recipe.training.evaluate_every}, but a supernet's paths have no figure in "
            "common; set it to 0, and let `gaitway nas search` measure paths when it is trained"
        )
    if compile_model:
        raise ValueError(
            "--compile makes kernels for one network, and a supernet is another one in every step; leave it out"
        )


def check_store(recipe: Recipe, store: Store, modality: str) -> None:
    """Make sure that a recipe is for the data set and the frames of a store.

    Raises:
        ValueError: when it is not.
    """
    dataset, wanted = store.manifest.dataset, tuple(recipe.data.frame_shape)
    if dataset != recipe.data.dataset:
        raise ValueError(
            f"the recipe is for {recipe.data.dataset}, {store.path} holds {dataset}; use a recipe for {dataset} "
            f"(`gaitway recipes ls`), or adapt it by data.dataset={dataset} data.partition=… evaluation.protocol=…"
        )
    found = frame_shape_in(store, modality)
    if found != wanted and modality == "poses":
        raise ValueError(
            f"the recipe is for poses of {' × '.join(map(str, wanted))}, {store.path} holds "
            f"{' × '.join(map(str, found))}; {joints_advice(wanted, found)}, or use a recipe for such poses "
            "(`gaitway recipes ls pose`)"
        )
    if found != wanted:
        is_cut = len(found) == 2 and found[0] == wanted[0] and found[1] < wanted[1]
        cut = "; they're cut already, so that it takes Scale in place of CutColumns"
        raise ValueError(
            f"the recipe is for {modality} of {' × '.join(map(str, wanted))}, {store.path} holds "
            f"{' × '.join(map(str, found))}; prepare the data set in that size, or adapt the recipe by "
            f"data.frame_shape=[{', '.join(map(str, found))}], which the published figures are not for"
            f"{cut if is_cut else ''}"
        )


def frame_shape_in(store: Store, modality: str) -> tuple[int, ...]:
    """The shape of a modality's frames in a store.

    Raises:
        ValueError: when the store does not have the modality.
    """
    if modality == "poses" and modality not in store.manifest.modalities:
        raise ValueError(
            f"{store.path} has no poses, it has {', '.join(store.manifest.modalities)}; `gaitway prepare "
            f"{store.manifest.dataset}-pose RAW OUT --with {store.path}` makes a store of both"
        )
    return store.frame_format(modality).shape


def joints_advice(wanted: tuple[int, ...], found: tuple[int, ...]) -> str:
    """What to do about poses `found` in a store, (v, 3), where those `wanted` have another number of joints."""
    if wanted == (COCO17.num_joints, 3) and found == (OPENPOSE18.num_joints, 3):
        return "prepare them with --joints coco17, which takes COCO's 17 joints from OpenPose's 18"
    if wanted == (OPENPOSE18.num_joints, 3) and found == (COCO17.num_joints, 3):
        return "COCO's 17 joints have no neck, so that OpenPose's 18 can't be made of them; prepare poses of 18 joints"
    return "poses are x, y and confidence of COCO's 17 joints or OpenPose's 18; prepare those that the model takes"
