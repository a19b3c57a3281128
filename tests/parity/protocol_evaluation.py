"""Distances, ranking and the indoor protocols: `eval_*`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from gaitway.evaluation import EmbeddingSet, Ranking, Result, evaluate, load_protocol, pairwise_distance, rank
from tests.parity.case import Array, Case, Results

DISTANCES = {"euc": "euclidean", "cos": "cosine"}  # by their published names


def _embeddings(published: Array) -> Tensor:
    """Published embeddings `(n, c, p)` as ours, `(n, p, d)`."""
    return torch.from_numpy(published).transpose(1, 2)


def _results(case: Case, protocol: str) -> dict[str, Result]:
    """The case's test set evaluated with each of its distances."""
    names = [tuple(case.inputs[key].tolist()) for key in ("labels", "types", "views")]
    embeddings = EmbeddingSet(_embeddings(case.inputs["embeddings"]), *names)
    return {
        metric: evaluate(embeddings, load_protocol(protocol), distance=DISTANCES[metric])
        for metric in case.hyperparameters["metrics"]
    }


def run_distance(case: Case) -> Results:
    x, y = _embeddings(case.inputs["x"]), _embeddings(case.inputs["y"])
    return {metric: pairwise_distance(x, y, name).numpy() for metric, name in DISTANCES.items()}, {}


def run_single_view_gallery(case: Case, protocol: str) -> Results:
    outputs, scalars = {}, {}
    for metric, result in _results(case, protocol).items():
        for name, found in result.sets.items():
            figure = found.figures["rank-1"]
            outputs[f"{metric}/{name}/R1/matrix"] = figure.matrix()
            outputs[f"{metric}/{name}/R1/per_probe_view"] = figure.per_probe_group()
            scalars[f"{metric}/{name}/R1"] = figure.published
    return outputs, scalars


def run_cross_view_gallery(case: Case, protocol: str) -> Results:
    outputs, scalars = {}, {}
    for metric, result in _results(case, protocol).items():
        for name, found in result.sets.items():
            rank1, mean_average_precision = found.figures["rank-1"], found.figures["mAP"]
            outputs[f"{metric}/{name}/rank1_per_view"] = rank1.per_probe_group()
            outputs[f"{metric}/{name}/mAP_per_view"] = mean_average_precision.per_probe_group()
            scalars[f"{metric}/{name}-Rank@1"] = rank1.published
            scalars[f"{metric}/{name}-mAP"] = mean_average_precision.published
    return outputs, scalars


def run_ranking_metrics(case: Case) -> Results:
    """`evaluate_rank` and `evaluate_many` skip a probe without a match, `compute_ACC_mAP` counts it as a miss."""
    inputs = {name: torch.from_numpy(values) for name, values in case.inputs.items()}
    matches = inputs["probe_id"][:, None] == inputs["gallery_id"]
    same_camera = inputs["probe_cam"][:, None] == inputs["gallery_cam"]
    unfiltered = rank(inputs["dist"], matches)
    filtered = rank(inputs["dist"], matches, valid=~(matches & same_camera))

    def cmc(ranking: Ranking) -> Array:
        first = ranking.first[ranking.num_matches > 0].numpy()
        ranks = np.arange(1, case.hyperparameters["max_rank"] + 1)
        return np.asarray((first <= ranks[:, None]).mean(1), dtype=np.float32)

    average_precision = unfiltered.average_precision.numpy()
    penalty = unfiltered.inverse_negative_penalty.numpy()
    outputs = {
        "rank_cmc": cmc(unfiltered),
        "rank_ap": average_precision[~np.isnan(average_precision)],
        "rank_inp": penalty[~np.isnan(penalty)],
        "many_cmc": cmc(filtered),
    }
    scalars = {
        "rank_mAP": float(unfiltered.average_precision.nanmean()),
        "rank_mINP": float(unfiltered.inverse_negative_penalty.nanmean()),
        "many_mAP": float(filtered.average_precision.nanmean()),
        "many_mINP": float(filtered.inverse_negative_penalty.nanmean()),
        "acc_map_rank1": float((filtered.first == 1).double().mean()),
        "acc_map_mAP": float(filtered.average_precision.nanmean()),
        "acc_map_noview_rank1": float((unfiltered.first == 1).double().mean()),
        "acc_map_noview_mAP": float(unfiltered.average_precision.nanmean()),
    }
    return outputs, scalars


RUNNERS: dict[str, Callable[[Case], Results]] = {
    "eval_distance": run_distance,
    "eval_ranking_metrics": run_ranking_metrics,
    "eval_casiab_single_view_gallery": partial(run_single_view_gallery, protocol="casia-b"),
    "eval_casiab_cross_view_gallery": partial(run_cross_view_gallery, protocol="casia-b/cross-view"),
    "eval_oumvlp_single_view_gallery": partial(run_single_view_gallery, protocol="oumvlp"),
    "eval_oumvlp_cross_view_gallery": partial(run_cross_view_gallery, protocol="oumvlp/cross-view"),
}
