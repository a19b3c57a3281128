"""Gaitway: gait recognition from silhouettes and skeletons.

The names below are the library's public face; they are imported when they are first used, so that `import gaitway`
costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaitway.data import open_store as open_store
    from gaitway.data.partitions import Partition as Partition
    from gaitway.data.partitions import load_partition as load_partition
    from gaitway.data.store import Store as Store
    from gaitway.data.store_writer import StoreWriter as StoreWriter
    from gaitway.evaluation import EmbeddingSet as EmbeddingSet
    from gaitway.evaluation import Protocol as Protocol
    from gaitway.evaluation import Result as Result
    from gaitway.evaluation import evaluate as evaluate
    from gaitway.evaluation import load_protocol as load_protocol
    from gaitway.models import create_model as create_model
    from gaitway.models import list_models as list_models
    from gaitway.training.checkpoint import load_model as load_model
    from gaitway.training.recipe import Recipe as Recipe
    from gaitway.training.recipe import list_recipes as list_recipes
    from gaitway.training.recipe import load_recipe as load_recipe
    from gaitway.types import Batch as Batch
    from gaitway.types import Output as Output
    from gaitway.types import SequenceInfo as SequenceInfo

_HOMES = {
    "Batch": "types",
    "EmbeddingSet": "evaluation",
    "Output": "types",
    "Partition": "data.partitions",
    "Protocol": "evaluation",
    "Recipe": "training.recipe",
    "Result": "evaluation",
    "SequenceInfo": "types",
    "Store": "data.store",
    "StoreWriter": "data.store_writer",
    "create_model": "models",
    "evaluate": "evaluation",
    "list_models": "models",
    "list_recipes": "training.recipe",
    "load_model": "training.checkpoint",
    "load_partition": "data.partitions",
    "load_protocol": "evaluation",
    "load_recipe": "training.recipe",
    "open_store": "data",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gaitway' has no attribute {name!r}")
    return getattr(import_module(f"gaitway.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
