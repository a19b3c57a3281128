"""The public names, pinned: taking one away or renaming it breaks users."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gaitway

PUBLIC = [
    "Batch",
    "EmbeddingSet",
    "Output",
    "Partition",
    "Protocol",
    "Recipe",
    "Result",
    "SequenceInfo",
    "Store",
    "StoreWriter",
    "create_model",
    "evaluate",
    "list_models",
    "list_recipes",
    "load_model",
    "load_partition",
    "load_protocol",
    "load_recipe",
    "open_store",
]


def test_public_names_are_pinned() -> None:
    assert sorted(gaitway.__all__) == PUBLIC
    assert dir(gaitway) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name: str) -> None:
    assert getattr(gaitway, name).__doc__


def test_unknown_names_are_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'GaitBass'"):
        gaitway.GaitBass  # noqa: B018 - looking it up is the test


def test_importing_gaitway_costs_nothing() -> None:
    code = "import gaitway, sys; print([m for m in ('torch', 'numpy', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
