"""Evaluation: embeddings and a protocol in, the figures that papers report out, or the file for a test server."""

from gaitway.evaluation.design import apply_protocol
from gaitway.evaluation.distance import DISTANCES, pairwise_distance
from gaitway.evaluation.embeddings import EmbeddingSet, embed
from gaitway.evaluation.evaluator import evaluate
from gaitway.evaluation.protocol import Protocol, Selection, list_protocols, load_protocol
from gaitway.evaluation.ranking import Ranking, equal_error_rate, rank
from gaitway.evaluation.re_ranking import ReRankedDistance, ReRanking
from gaitway.evaluation.result import Figure, Result, SetResult
from gaitway.evaluation.submission import check_submission, expected_submission, make_submission, write_submission

__all__ = [
    "DISTANCES",
    "EmbeddingSet",
    "Figure",
    "Protocol",
    "Ranking",
    "ReRankedDistance",
    "ReRanking",
    "Result",
    "Selection",
    "SetResult",
    "apply_protocol",
    "check_submission",
    "embed",
    "equal_error_rate",
    "evaluate",
    "expected_submission",
    "list_protocols",
    "load_protocol",
    "make_submission",
    "pairwise_distance",
    "rank",
    "write_submission",
]
