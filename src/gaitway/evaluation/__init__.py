"""Evaluation: embeddings and a protocol in, the figures that papers report out."""

from gaitway.evaluation.distance import DISTANCES, pairwise_distance
from gaitway.evaluation.embeddings import EmbeddingSet, embed
from gaitway.evaluation.evaluator import evaluate
from gaitway.evaluation.protocol import Protocol, Selection, list_protocols, load_protocol
from gaitway.evaluation.ranking import Ranking, equal_error_rate, rank
from gaitway.evaluation.result import Figure, Result, SetResult

__all__ = [
    "DISTANCES",
    "EmbeddingSet",
    "Figure",
    "Protocol",
    "Ranking",
    "Result",
    "Selection",
    "SetResult",
    "embed",
    "equal_error_rate",
    "evaluate",
    "list_protocols",
    "load_protocol",
    "pairwise_distance",
    "rank",
]
