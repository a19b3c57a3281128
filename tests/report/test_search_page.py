"""The report of a search."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from gaitway.report.search_contents import Candidate, DrawnLayer, SearchContents
from gaitway.report.search_page import figure, write_search_report

PICTURES = ("front", "history", "architecture")


def candidate(architecture: tuple[int, ...], rank_1: float, macs: float, *, on_front: bool = False) -> Candidate:
    figures = {"rank-1": rank_1, "mAP": rank_1 / 2, "macs": macs, "parameters": 3e6}
    return Candidate(architecture=architecture, generation=1, figures=figures, on_front=on_front)


def layer(stage: int, block: int, num_convolutions: int) -> DrawnLayer:
    return DrawnLayer(
        stage=stage,
        in_channels=4,
        out_channels=8,
        block=block,
        kernels=[(3, 1, 3)] * num_convolutions,
        rectified=True,
        free=stage > 0,
    )


CONTENTS = SearchContents(
    name="a <b>",
    objectives=("rank-1", "macs"),
    candidates=[
        candidate((0, 5), 90.0, 5e9, on_front=True),
        candidate((0, 4), 80.0, 6e9),
        candidate((0, 2), 80.0, 4e9, on_front=True),
        candidate((0, 1), 70.0, 3e9, on_front=True),
    ],
    history=[(0, 80.0, 80.0, 75.0), (1, 90.0, 90.0, 70.0)],
    drawn=[layer(0, 0, 1), layer(1, 5, 2), layer(2, 2, 1)],
    seconds=1.5,
    num_frames=30,
    circumstances={"judging": {"by": "6 <people>", "transforms": []}},
)


def points(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Where the markers of a picture are, by look."""
    found: dict[str, list[tuple[float, float]]] = {}
    for look, x, y in re.findall(
        r'<g class="([\w-]+)"><path class="full" transform="translate\((\S+) (\S+)\)" d="[^"]+"><title>',
        path.read_text(),
    ):
        found.setdefault(look, []).append((float(x), float(y)))
    return found


def test_pictures_are_files_of_their_own(tmp_path: Path) -> None:
    write_search_report(CONTENTS, tmp_path)
    for name in PICTURES:
        root = ET.parse(tmp_path / f"{name}.svg").getroot()  # well formed
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", *(f"{name}.svg" for name in PICTURES)}
    assert "median of the generation</text>" in (tmp_path / "history.svg").read_text()


def test_the_front_is_drawn_where_it_is(tmp_path: Path) -> None:
    write_search_report(CONTENTS, tmp_path)
    found = points(tmp_path / "front.svg")
    ((best_x, best_y),), ((other_x, other_y),) = found["series-0"], found["other"]
    assert len(found["series-1"]) == 2
    assert best_x < other_x  # cheaper
    assert best_y < other_y  # better: higher on the page
    (line,) = re.findall(r'<path class="line" d="M(\S+ .*?)"/>', (tmp_path / "front.svg").read_text())
    places = [tuple(map(float, place.split())) for place in line.split("L")]
    (cheapest,) = (place for place in found["series-1"] if place[0] == min(x for x, _ in found["series-1"]))
    assert places[0] == cheapest
    assert places[-1] == (best_x, best_y)
    assert len(places) == 5  # stairs


def test_the_page(tmp_path: Path) -> None:
    page = write_search_report(CONTENTS, tmp_path).read_text()
    assert "<h1>[0, 5]</h1>" in page
    assert "a &lt;b&gt;" in page
    assert "6 &lt;people&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    rows = re.findall(r'<td class="blocks">([\d ]+)</td>', page)
    assert rows == ["0 5", "0 4", "0 2", "0 1"]
    assert page.count('class="series-5 convolution"') == 2
    assert "3 frames → 1" in page


def test_a_long_table_says_what_it_leaves_out(tmp_path: Path) -> None:
    many = [candidate((0, i), 50.0 - i, 1e9, on_front=i == 0) for i in range(25)]
    page = write_search_report(replace(CONTENTS, candidates=many), tmp_path).read_text()
    assert "and 5 more, in history.csv" in page


def test_figures_keep_digits_that_matter() -> None:
    assert (figure("macs", 12_345_678_901), figure("macs", 6_400_000), figure("rank-1", 5)) == (
        "12.35",
        "0.0064",
        "5.00",
    )


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has evaluated nothing yet"):
        write_search_report(replace(CONTENTS, candidates=[]), tmp_path)
    assert not list(tmp_path.iterdir())
