"""Train a small GaitSet on the shipped walkers with the library's pieces, without the command line.

python examples/train_from_python.py 20
"""

import sys

import numpy as np
import torch

import gaitway
from gaitway.data.frame_sampling import FrameSampling
from gaitway.data.loader import TrainLoader
from gaitway.data.sampling import TripletSampler
from gaitway.data.transforms import CutColumns
from gaitway.losses import TripletLoss
from gaitway.training.objective import Objective


def main(steps: int) -> None:
    store = gaitway.open_store("walkers")
    rows = gaitway.load_partition("walkers").rows(store, "train")
    _, labels = np.unique(store.index.subjects[rows], return_inverse=True)
    loader = TrainLoader(
        store,
        rows,
        labels,
        TripletSampler(num_subjects=4, num_sequences=4),
        FrameSampling(count="fixed", order="unordered", num=8),
        [CutColumns()],
    )
    torch.manual_seed(0)
    model = gaitway.create_model("GaitSet", channels=(16, 32, 64), embedding_dim=64)
    objective = Objective(model=model, losses={"triplet": TripletLoss(margin=0.2)})
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step, batch in zip(range(1, steps + 1), loader.batches(), strict=False):
        assert batch.labels is not None
        loss, figures = objective(batch.frames, batch.lengths, batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: loss {figures['loss']:.3f}, active triplets {figures['triplet/active']:.0%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
