from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gaitway.data.partitions import load_partition
from gaitway.evaluation import Protocol, Selection, list_protocols, load_protocol

SHIPPED = [
    "casia-b",
    "casia-b/cross-view",
    "casia-e",
    "ccgr-mini",
    "ccpg",
    "ccpg/reid",
    "freegait",
    "gait3d",
    "grew",
    "grew/distractors",
    "grew/local",
    "hid",
    "hid2021",
    "hid2021/test",
    "oumvlp",
    "oumvlp/cross-view",
    "sustech1k",
    "ttg-200",
    "walkers",
    "walkers/cross-view",
]


def test_the_shipped_protocols() -> None:
    assert list_protocols() == SHIPPED
    assert list_protocols("oumvlp") == ["oumvlp", "oumvlp/cross-view"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_protocol_knows_its_name_and_says_what_it_measures(name: str) -> None:
    protocol = load_protocol(name)
    assert protocol.name == name
    assert protocol.dataset == name.split("/")[0]
    assert protocol.measures.endswith(".")
    single_view = {"casia-b", "casia-e", "ccpg", "oumvlp", "sustech1k", "walkers"}
    assert (protocol.gallery_by == "view") == (name in single_view)
    assert (protocol.submission is not None) == (name in {"grew", "grew/distractors", "hid"})


@pytest.mark.parametrize("dataset", ["casia-b", "oumvlp"])
@pytest.mark.parametrize(("suffix", "key"), [("", "single_view_gallery"), ("/cross-view", "cross_view_gallery")])
def test_protocols_agree_with_the_published_partitions(dataset: str, suffix: str, key: str) -> None:
    published = load_partition(dataset).protocols
    published = published.get(key, published)  # of OUMVLP both galleries are the same
    protocol = load_protocol(dataset + suffix)
    assert isinstance(protocol.gallery, Selection)
    assert list(protocol.gallery.conditions) == published["gallery"]
    assert {name: list(selection.conditions) for name, selection in protocol.probes.items()} == published["probe"]


def test_a_selection_takes_names_and_patterns() -> None:
    selection = Selection(("nm-01", "*-bg-*"))
    conditions = ["nm-01", "00-bg-a", "cl-01", "nm-01", "nm-011"]
    places = [str(i) for i in range(5)]
    assert selection.member(places, conditions, places).tolist() == [True, True, False, True, False]
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
        (
            {"gallery": {"B": {"conditions": ["a"]}, "C": {"conditions": ["a"]}}},
            "gallery has the sets B, C, probes has B",
        ),
        ({"gallery": {"others": True}, "probes": {"B": {"others": True}}}, "cannot both be what the other side leaves"),
        ({"submission": "mail"}, "submission is 'mail', expected one of None, grew, hid"),
        ({"rerank": [6, 6]}, "re-ranking .6, 6. is not K1,K2,LAMBDA"),
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


@pytest.mark.parametrize(
    ("name", "key"), [("grew", "submission"), ("grew/local", "local"), ("grew/distractors", "with_distractors")]
)
def test_the_protocols_of_grew_agree_with_the_published_partition(name: str, key: str) -> None:
    published, protocol = load_partition("grew").protocols[key], load_protocol(name)
    assert isinstance(protocol.gallery, Selection)
    assert list(protocol.gallery.conditions) == published["gallery"]
    assert list(protocol.probes["all"].conditions) == published["probe"]


@pytest.mark.parametrize("name", ["ccpg", "ccpg/reid"])
def test_each_setting_of_ccpg_has_a_gallery_of_its_own(name: str) -> None:
    protocol = load_protocol(name)
    found = {
        key: {"probe": list(protocol.probes[key].conditions), "gallery": list(gallery.conditions)}
        for key, gallery in protocol.galleries.items()
    }
    assert found == load_partition("ccpg").protocols
    assert protocol.view_names(["01_0", "10_1", "02"]) == ["01", "10", "02"]


def test_casia_e_and_sustech1k_agree_with_the_published_partitions() -> None:
    published, protocol = load_partition("casia-e").protocols["single_view_gallery"], load_protocol("casia-e")
    assert list(protocol.without_views) == published["dropped_views"]
    scenes = [f"{height}-scene{scene}-{what}-{i}" for height in "HL" for scene in ("1", "2", "3", "3_s")
              for what in ("nm", "bg", "cl") for i in (1, 2, 3)]  # fmt: skip

    def chosen(selection: Selection, conditions: list[str]) -> set[str]:
        member = selection.member(["201"] * len(conditions), conditions, conditions)
        return {condition for condition, is_in in zip(conditions, member, strict=True) if is_in}

    assert chosen(protocol.galleries["NM"], scenes) == set(published["gallery"])
    for key, names in published["probe"].items():
        assert chosen(protocol.probes[key], scenes) == set(names)

    published, protocol = load_partition("sustech1k").protocols["single_view_gallery"], load_protocol("sustech1k")
    types = ["00-nm", "01-nm", "01-nt", "02-bg", "02-cl", "03-cr", "03-nt-cl", "03-ub-bg", "04-oc", "04-uf"]
    assert list(protocol.ranks) == published["ranks"]
    for key, parts in {**published["probe"], "gallery": published["gallery"]}.items():
        selection = protocol.galleries["Normal"] if key == "gallery" else protocol.probes[key]
        assert chosen(selection, types) == {name for name in types if any(part in name for part in parts)}


def test_listed_sequences_and_all_others() -> None:
    names = [
        ("0002", "camid33_videoid2", "seq0"),
        ("0002", "camid1_videoid1", "seq0"),
        ("0007", "camid1_videoid1", "seq1"),
    ]
    galleries, probes = load_protocol("gait3d").select(*map(list, zip(*names, strict=True)))
    assert (probes["all"].tolist(), galleries["all"].tolist()) == ([0], [1, 2])
    own = load_protocol("gait3d", {"probe": ["-".join(names[2])], "gallery": []})
    galleries, probes = own.select(*map(list, zip(*names, strict=True)))
    assert (probes["all"].tolist(), galleries["all"].tolist()) == ([2], [0, 1])


def test_the_lists_of_the_shipped_partitions() -> None:
    for name, key in (("gait3d", "probe"), ("freegait", "probe")):
        assert load_protocol(name).probes["all"].listed == frozenset(getattr(load_partition(name), key))
    assert load_protocol("ccgr-mini").galleries["all"].listed == frozenset(load_partition("ccgr-mini").gallery)


def test_a_list_that_nobody_has(tmp_path: Path) -> None:
    path = own_protocol(tmp_path / "mine.yaml", probes={"all": {"listed": "probe"}}, gallery={"others": True})
    with pytest.raises(ValueError, match="goes by the partition's list 'probe', but neither"):
        load_protocol(path)
    assert load_protocol(path, {"probe": ["a-b-c"]}).probes["all"].listed == frozenset({"a-b-c"})


def test_all_years_of_a_data_set_have_its_protocols() -> None:
    assert list_protocols("hid2022") == list_protocols("hid") == ["hid"]
    assert list_protocols("hid2021") == ["hid", "hid2021", "hid2021/test"]
