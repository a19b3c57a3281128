"""`python -m tests.parity FOLDER...`: run every case in the folders; the exit status says whether all are met."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.parity.running import Outcome, find_cases, run_case


def run_safely(path: Path) -> Outcome:
    """An error in one case must not hide the others."""
    try:
        return run_case(path)
    except Exception as error:
        return Outcome(path.stem, "failed", f"{type(error).__name__}: {error}", (traceback.format_exc(),))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path, help="folder of NAME.json and NAME.npz")
    parser.add_argument("-v", "--verbose", action="store_true", help="list every figure that is too far off")
    args = parser.parse_args(arguments)
    for folder in args.folders:
        if not folder.is_dir():
            parser.error(f"{folder} is not a folder")
    counts: Counter[str] = Counter()
    for path in (path for folder in args.folders for path in find_cases(folder)):
        outcome = run_safely(path)
        counts[outcome.status] += 1
        print(f"{outcome.status:8} {outcome.name:44} {outcome.text}", flush=True)
        if args.verbose:
            for problem in outcome.problems:
                print(f"         {problem}")
    if not counts:
        parser.error("the folders hold no cases")
    print(f"{counts['met']} met, {counts['failed']} failed, {counts['not run']} not run")
    return 0 if counts["met"] == counts.total() else 1


if __name__ == "__main__":
    sys.exit(main())
