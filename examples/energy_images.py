"""Recognise the shipped walkers by nothing but their mean silhouettes.

python examples/energy_images.py
"""

import numpy as np

import gaitway
from gaitway.data.loader import evaluation_batches
from gaitway.data.transforms import CutColumns
from gaitway.evaluation import embed


def main() -> None:
    store = gaitway.open_store("walkers")
    rows = gaitway.load_partition("walkers").rows(store, "test")
    model = gaitway.create_model("GaitEnergyImage")
    embeddings = embed(model, evaluation_batches(store, rows, [CutColumns()], batch_size=64))
    result = gaitway.evaluate(embeddings, gaitway.load_protocol("walkers"))

    print(result.measures)
    for name, found in result.sets.items():
        across = found.figures["rank-1"]
        print(f"{name}: {across.published:.1f} % across views, {across.identical_only:.1f} % in the same view")
    print(f"chance: {np.mean([found.chance for found in result.sets.values()]):.1f} %")


if __name__ == "__main__":
    main()
