from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gaitway.data.partitions import load_partition
from gaitway.evaluation import Protocol, Selection, list_protocols, load_protocol

SHIPPED = ["casia-b", "casia-b/cross-view", "oumvlp", "oumvlp/cross-view", "walkers", "walkers/cross-view"]


def test_the_shipped_protocols() -> None:
    assert list_protocols() == SHIPPED
    assert list_protocols("oumvlp") == ["oumvlp", "oumvlp/cross-view"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_protocol_knows_its_name_and_says_what_it_measures(name: str) -> None:
    protocol = load_protocol(name)
    assert protocol.name == name
    assert protocol.dataset == name.split("/")[0]
    assert protocol.measures.endswith(".")
    assert (protocol.gallery_by is None) == name.endswith("cross-view")


@pytest.mark.parametrize("dataset", ["casia-b", "oumvlp"])
@pytest.mark.parametrize(("suffix", "key"), [("", "single_view_gallery"), ("/cross-view", "cross_view_gallery")])
def test_protocols_agree_with_the_published_partitions(dataset: str, suffix: str, key: str) -> None:
    published = load_partition(dataset).protocols
    published = published.get(key, published)  # of OUMVLP both galleries are the same
    protocol = load_protocol(dataset + suffix)
    assert list(protocol.gallery.conditions) == published["gallery"]
    assert {name: list(selection.conditions) for name, selection in protocol.probes.items()} == published["probe"]


def test_a_selection_takes_names_and_patterns() -> None:
    selection = Selection(("nm-01", "*-bg-*"))
    conditions = ["nm-01", "00-bg-a", "cl-01", "nm-01", "nm-011"]
    assert selection.rows(conditions).tolist() == [0, 1, 3]
    assert selection.names(conditions) == ["00-bg-a", "nm-01"]
    assert selection.expected(["cl-01"]) == {"nm-01"}


def own_protocol(path: Path, **changes: object) -> Path:
    values = {
        "dataset": "mine",
        "measures": "Something.",
        "gallery": {"conditions": ["a"]},
        "probes": {"B": {"conditions": ["b"]}},
    }
    path.write_text(yaml.safe_dump(values | changes))
    return path


def test_a_protocol_of_ones_own(tmp_path: Path) -> None:
    protocol = load_protocol(own_protocol(tmp_path / "mine.yaml", ranks=[1, 20], exclude=["view"], probes_by="view"))
    assert protocol == Protocol(
        name="mine",
        dataset="mine",
        measures="Something.",
        gallery=Selection(("a",)),
        probes={"B": Selection(("b",))},
        probes_by="view",
        exclude=("view",),
        ranks=(1, 20),
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": [1]}, "is not a protocol: it has .*rank; it needs .* may have .*ranks"),
        ({"gallery": {"condition": ["a"]}}, r"gallery is .*expected \{conditions:"),
        ({"gallery_by": "camera"}, "gallery_by is 'camera', expected one of None, view"),
        ({"gallery_by": "view"}, "gallery_by: view needs probes_by: view"),
        ({"exclude": ["subject"]}, r"exclude is \('subject',\)"),
        ({"probes": {}}, "at least one probe set"),
        ({"ranks": [0, 1]}, "ranks from 1 on"),
        ({"without_match": "ignore"}, "without_match is 'ignore', expected one of error, miss, skip"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_protocol(own_protocol(tmp_path / "mine.yaml", **changes))


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", ""])
def test_a_file_that_is_something_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="is not a"):
        load_protocol(path)


def test_an_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no protocol casiab; did you mean casia-b\? Known: casia-b, casia-b/cross"):
        load_protocol("casiab")
