"""The table of a result on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from gaitway.evaluation import Result


def result_table(
    result: Result,
    *,
    published: Mapping[str, Mapping[str, float]] | None = None,
    others: Mapping[str, Result] | None = None,
) -> Table:
    """A column per probe set, a row per figure in percent, with what it compares to below it.

    Args:
        result: What to show.
        published: A recipe's published figures, by figure and probe set.
        others: Results of other methods by the same protocol, by the method's name.
    """
    title = f"protocol {result.protocol}, {result.how}, %"
    table = Table(
        title=title,
        title_justify="left",
        min_width=len(title),
        box=box.SIMPLE_HEAD,
    )
    table.add_column("")
    for name in result.sets:
        table.add_column(name, justify="right")
    sets = result.sets.values()
    for figure in next(iter(sets)).figures:
        table.add_row(figure, *(percent(found.figures[figure].published) for found in sets), style="bold")
        if published and figure in published:
            table.add_row("  published", *(percent(published[figure].get(name)) for name in result.sets))
        for method, other in (others or {}).items():
            table.add_row(f"  {method}", *(percent(other.sets[name].figures[figure].published) for name in result.sets))
        if figure == "rank-1":
            for method, other in {"": result, **(others or {})}.items():
                same_view = [other.sets[name].figures[figure].identical_only for name in result.sets]
                if any(value is not None for value in same_view):
                    title = f"  {method}, in the same view" if method else "  in the same view"
                    table.add_row(title, *map(percent, same_view))
            table.add_row("  chance", *(percent(found.chance) for found in sets))
    table.add_row("equal-error rate", *(percent(found.equal_error_rate) for found in sets), style="bold")
    table.add_row("probes", *(f"{found.num_probes:,}" for found in sets))
    return table


def percent(value: float | None) -> str:
    """A figure with one decimal, as papers print it; a dash for None."""
    return "–" if value is None else f"{value:.1f}"
