"""Every --help answers at once: no command's help imports torch."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import import_module

import pytest

from gaitway.cli import COMMANDS, main

ASK = """
import sys
from gaitway.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
heavy = [name for name in ("torch", "numpy", "cv2", "lightning_fabric", "rich") if name in sys.modules]
assert not heavy, heavy
"""


def subcommands(name: str) -> list[list[str]]:
    """Words of a command and of each of its subcommands."""
    parser = argparse.ArgumentParser()
    import_module(f"gaitway.cli.{COMMANDS[name][0]}").add_arguments(parser)
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [name.split(), *([*name.split(), choice] for action in actions for choice in action.choices)]


@pytest.mark.parametrize("name", ["", "data", *COMMANDS])
def test_help_answers_without_heavy_imports(name: str) -> None:
    for words in subcommands(name) if name in COMMANDS else [name.split()]:
        done = subprocess.run([sys.executable, "-c", ASK, *words, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("usage: gaitway")
        assert len(done.stdout.splitlines()) > 3


def test_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evalute"]) == 2
    assert "Did you mean `gaitway evaluate`?" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("gaitway 0.")


def test_user_errors_are_one_clear_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GAITWAY_TRACEBACK", raising=False)
    assert main(["recipes", "show", "casia-b/gaitsett"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gaitway recipes: error: no recipe 'casia-b/gaitsett'")
    assert "did you mean 'casia-b/gaitset'?" in error
    assert "Traceback" not in error
    monkeypatch.setenv("GAITWAY_TRACEBACK", "1")
    with pytest.raises(ValueError, match="no recipe"):
        main(["recipes", "show", "casia-b/gaitsett"])


def test_ctrl_c_is_no_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("gaitway.cli.recipes.run", interrupted)
    assert main(["recipes", "ls"]) == 130
    assert capsys.readouterr().err == "gaitway recipes: stopped\n"
