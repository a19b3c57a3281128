"""The command `gaitway`. Imports nothing heavy: each command's module is loaded when it is called."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "see gait recognition work, with nothing but this package"),
    "prepare": ("prepare", "turn a data set as distributed into a store"),
    "doctor": ("doctor", "compare a store with what is known of its data set"),
    "data show": ("data_show", "print what is in a store, draw a contact sheet"),
    "data play": ("data_play", "draw a sequence in motion, its skeleton over its silhouette"),
    "data walkers": ("walkers", "render synthetic walkers into a store"),
    "train": ("train", "train a model by a recipe"),
    "evaluate": ("evaluate", "evaluate a run or a checkpoint by the protocols of its data set"),
    "embed": ("embed", "write the embeddings of a store's sequences into a file"),
    "report": ("report", "write the HTML report of a run"),
    "nas train": ("nas_train", "train a supernet"),
    "nas search": ("nas_search", "search the paths of a trained supernet"),
    "nas show": ("nas_show", "print and draw what a search has found"),
    "nas retrain": ("nas_retrain", "train a path of a supernet on its own"),
    "profile": ("profile", "count a recipe's parameters and multiply-adds, time a sequence"),
    "bench": ("bench", "measure throughput, waiting for data and memory"),
    "import": ("import_", "take over published checkpoints and configurations"),
    "recipes": ("recipes", "list, show and copy the recipes that ship with Gaitway"),
}
"""Command → module in this package, and what it does in a line."""

CONVENTION = "Set GAITWAY_TRACEBACK=1 to see where an error comes from."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after `gaitway`; those of this process when None.

    Returns:
        The exit status: 0 when all went well, 1 when a check found something, 2 on an error the user can mend,
        130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = next((name for name in COMMANDS if words[: name.count(" ") + 1] == name.split()), None)
    if name is None:
        return _overview(words)
    # PyTorch takes CPU memory in huge pages, where Linux offers them: models run up to 1.7 times as fast
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    module = import_module(f"gaitway.cli.{COMMANDS[name][0]}")
    parser = argparse.ArgumentParser(
        prog=f"gaitway {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=CONVENTION,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    rest = words[name.count(" ") + 1 :]
    try:
        parsed = parser.parse_intermixed_args(rest)  # takes `RECIPE --data STORE key=value`
    except TypeError:  # argparse's word for a command that has actions of its own
        parsed = parser.parse_args(rest)
    try:
        return int(module.run(parsed))
    except (ValueError, OSError) as error:
        if os.environ.get("GAITWAY_TRACEBACK"):
            raise
        print(f"gaitway {name}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"gaitway {name}: stopped", file=sys.stderr)
        return 130


def _overview(words: list[str]) -> int:
    """Answer `gaitway`, `gaitway --help`, `gaitway --version`, `gaitway data` and unknown commands."""
    width = max(map(len, COMMANDS))
    group = [name for name in COMMANDS if words and name.startswith(f"{words[0]} ")]
    lines = [f"  {name:<{width}}  {COMMANDS[name][1]}" for name in group or COMMANDS]
    usage = "\n".join(["usage: gaitway COMMAND …", "", *lines, "", "gaitway COMMAND --help tells more.", CONVENTION])
    if words and words[0] == "--version":
        print(f"gaitway {version('gaitway')}")
        return 0
    asked = not words or words[0] in ("-h", "--help") or (bool(group) and words[1:] in ([], ["-h"], ["--help"]))
    if asked:
        print(usage)
        return 0
    import difflib

    near = difflib.get_close_matches(" ".join(words[:2]), COMMANDS, n=1) or difflib.get_close_matches(
        words[0], COMMANDS
    )
    hint = f" Did you mean `gaitway {near[0]}`?" if near else ""
    print(f"gaitway: error: no command {words[0]!r}.{hint}\n\n{usage}", file=sys.stderr)
    return 2
