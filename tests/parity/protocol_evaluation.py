"""Distances, ranking, protocols, re-ranking and submissions: `eval_*`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from gaitway.evaluation import (
    EmbeddingSet,
    Figure,
    Ranking,
    ReRankedDistance,
    ReRanking,
    Result,
    evaluate,
    load_protocol,
    make_submission,
    pairwise_distance,
    rank,
)
from tests.parity.case import Array, Case, Results

DISTANCES = {"euc": "euclidean", "cos": "cosine"}  # by their published names
SUSTECH_SETS = MappingProxyType({"Umbrella": "Umberalla"})  # ours, published


def _embeddings(published: Array) -> Tensor:
    """Published embeddings `(n, c, p)` as ours, `(n, p, d)`."""
    return torch.from_numpy(published).transpose(1, 2)


def _embedding_set(case: Case) -> EmbeddingSet:
    names = [tuple(case.inputs[key].tolist()) for key in ("labels", "types", "views")]
    return EmbeddingSet(_embeddings(case.inputs["embeddings"]).contiguous(), *names)


def _results(case: Case, protocol: str) -> dict[str, Result]:
    """The case's test set evaluated with each of its distances."""
    return {
        metric: evaluate(_embedding_set(case), load_protocol(protocol), distance=DISTANCES[metric])
        for metric in case.hyperparameters["metrics"]
    }


def run_distance(case: Case) -> Results:
    x, y = _embeddings(case.inputs["x"]), _embeddings(case.inputs["y"])
    return {metric: pairwise_distance(x, y, name).numpy() for metric, name in DISTANCES.items()}, {}


def run_single_view_gallery(
    case: Case, protocol: str, names: Mapping[str, str] = MappingProxyType({}), num_ranks: int = 1
) -> Results:
    """`names`: published names of our sets where they differ."""
    outputs, scalars = {}, {}
    for metric, result in _results(case, protocol).items():
        for name, found in result.sets.items():
            for k in range(1, num_ranks + 1):
                figure, key = found.figures[f"rank-{k}"], f"{metric}/{names.get(name, name)}/R{k}"
                outputs[f"{key}/matrix"] = figure.matrix()
                outputs[f"{key}/per_probe_view"] = figure.per_probe_group()
                scalars[key] = figure.published
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


def run_in_the_wild(case: Case, protocol: str) -> Results:
    """One gallery, one table cell; probes without a match are left out."""
    (found,) = _results(case, protocol)["euc"].sets.values()
    names = {"Rank-1": "rank-1", "Rank-5": "rank-5", "Rank-10": "rank-10", "mAP": "mAP", "mINP": "mINP"}
    scalars = {published: found.figures[ours].published for published, ours in names.items()}
    return {"cmc": np.array(found.cmc, dtype=np.float32) / 100}, scalars


def run_real_scene(case: Case, protocol: str) -> Results:
    (found,) = _results(case, protocol)["euc"].sets.values()
    figures: dict[str, Figure] = dict(found.figures)
    return {"acc": np.round(found.cmc[:20], 2)}, {f"Rank-{k}": figures[f"rank-{k}"].published for k in (1, 5)}


def run_ccpg(case: Case) -> Results:
    outputs: dict[str, Array] = {}
    scalars = {}
    for name, found in _results(case, "ccpg/reid")["euc"].sets.items():
        outputs[f"reid/{name}/cmc"] = np.array(found.cmc, dtype=np.float32) / 100
        for published, ours in (("Rank-1", "rank-1"), ("mAP", "mAP"), ("mINP", "mINP")):
            scalars[f"reid/{name}/{published}"] = found.figures[ours].published
    for name, found in _results(case, "ccpg")["euc"].sets.items():
        figure = found.figures["rank-1"]
        assert figure.including_identical is not None
        outputs[f"gait/{name}/matrix"] = figure.matrix()
        outputs[f"gait/{name}/per_probe_view"] = figure.per_probe_group()
        scalars |= {f"gait/{name}/mean": figure.including_identical, f"gait/{name}/excluding": figure.published}
    return outputs, scalars


def run_submission(case: Case, protocol: str) -> Results:
    loaded = load_protocol(protocol)
    if not case.hyperparameters.get("kwargs", {}).get("rerank", True):
        loaded = dataclasses.replace(loaded, rerank=None)
    return {"csv_lines": np.array(make_submission(_embedding_set(case), loaded).splitlines())}, {}


def run_re_ranking(case: Case) -> Results:
    distances = torch.from_numpy(case.inputs["dist"])
    num_probes: int = case.hyperparameters["query_num"]
    outputs: dict[str, Array] = {}
    for i, settings in enumerate(case.hyperparameters["settings"]):
        search = ReRankedDistance(
            lambda block: distances[:, block].T.contiguous(),  # the published code goes by columns
            num_probes=num_probes,
            num_sequences=len(distances),
            settings=ReRanking.parse(settings),
        )
        found = search(slice(0, num_probes))
        outputs |= {f"final_{i}": found.numpy(), f"nearest_{i}": found.argmin(1).numpy()}
    return outputs, {}


RUNNERS: dict[str, Callable[[Case], Results]] = {
    "eval_distance": run_distance,
    "eval_ranking_metrics": run_ranking_metrics,
    "eval_casiab_single_view_gallery": partial(run_single_view_gallery, protocol="casia-b"),
    "eval_casiab_cross_view_gallery": partial(run_cross_view_gallery, protocol="casia-b/cross-view"),
    "eval_oumvlp_single_view_gallery": partial(run_single_view_gallery, protocol="oumvlp"),
    "eval_oumvlp_cross_view_gallery": partial(run_cross_view_gallery, protocol="oumvlp/cross-view"),
    "eval_casiae": partial(run_single_view_gallery, protocol="casia-e"),
    "eval_sustech1k": partial(run_single_view_gallery, protocol="sustech1k", names=SUSTECH_SETS, num_ranks=5),
    "eval_ccpg": run_ccpg,
    "eval_gait3d": partial(run_in_the_wild, protocol="gait3d"),
    "eval_freegait": partial(run_in_the_wild, protocol="freegait"),
    "eval_ccgr_mini": partial(run_in_the_wild, protocol="ccgr-mini"),
    "eval_grew_local": partial(run_real_scene, protocol="grew/local"),
    "eval_grew_submission": partial(run_submission, protocol="grew"),
    "eval_hid_submission": partial(run_submission, protocol="hid"),
    "eval_hid_submission_rerank": partial(run_submission, protocol="hid"),
    "eval_re_ranking": run_re_ranking,
}
