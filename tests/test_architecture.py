"""Which way imports may point: the design's table, checked on every file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import gaitway

ROOT = Path(gaitway.__file__).parent
BASE = {"types", "skeletons", "pose_features"}
ALLOWED = {
    "types": set(),
    "skeletons": set(),
    "pose_features": {"skeletons"},
    "nn": BASE,
    "models": BASE | {"nn"},
    "losses": BASE,
    "data": BASE,
    "evaluation": BASE,
    "training": BASE | {"nn", "models", "losses", "data", "evaluation"},
    "nas": BASE | {"nn", "models", "losses", "data", "evaluation", "training"},
    "interop": BASE | {"models", "data"},
    "report": BASE | {"data", "evaluation"},
    "bench": BASE | {"nn", "models", "losses", "data", "evaluation", "training", "nas"},
    "cli": BASE | {"nn", "models", "losses", "data", "evaluation", "training", "interop", "report", "bench", "nas"},
}
FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in BASE)


def imports_of(path: Path) -> set[str]:
    """Top-level parts of gaitway that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write the full name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("gaitway.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_the_right_way(path: Path) -> None:
    part = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert part in ALLOWED, f"{part} has no place in the design's table of imports"
    wrong = imports_of(path) - ALLOWED[part] - {part}
    assert not wrong, f"{part} must not import {', '.join(sorted(wrong))}"


def test_the_check_sees_imports(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        "import gaitway.cli\ndef f() -> None:\n    from gaitway.training import loop\n    from gaitway import data\n"
    )
    assert imports_of(file) == {"cli", "training", "data"}
