"""What the extra `nas` brings, which not everyone has installed."""

from __future__ import annotations

from typing import Any


def import_optuna() -> Any:
    """Optuna, quiet.

    Raises:
        ValueError: when it is not installed; says how to install it.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ValueError(
            "the search needs the package optuna, which is not installed; install it by: pip install 'gaitway[nas]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
