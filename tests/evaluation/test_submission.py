from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from gaitway.evaluation import (
    EmbeddingSet,
    ReRanking,
    check_submission,
    expected_submission,
    load_protocol,
    make_submission,
    write_submission,
)
from gaitway.evaluation import submission as submission_module
from gaitway.evaluation.submission import Expected

NUM_SUBJECTS, NUM_PROBES = 14, 9


def grew_like(*, distractors: int = 0) -> EmbeddingSet:
    """Two gallery videos of each of 14 subjects and 9 probes, in the names of the rearranged tree."""
    names = [(f"{s:05}", f"0{g}", f"g{s:02}{g}") for s in range(1, NUM_SUBJECTS + 1) for g in (1, 2)]
    names += [("99999", "04", f"d{i}") for i in range(distractors)]
    names += [("probe", "03", f"p{i}x") for i in range(NUM_PROBES)]
    rng = np.random.default_rng(0)
    return EmbeddingSet(
        torch.from_numpy(rng.normal(size=(len(names), 3, 8)).astype(np.float32)), *zip(*names, strict=True)
    )


def hid_like() -> EmbeddingSet:
    """Ids with leading zeros; a store names the video by the view."""
    names = [(f"{s:05}", "default", f"{s:06}") for s in range(12)]
    names += [("probe", "default", f"{i:06}") for i in (7, 3, 5)]
    rng = np.random.default_rng(1)
    return EmbeddingSet(
        torch.from_numpy(rng.normal(size=(len(names), 2, 8)).astype(np.float32)), *zip(*names, strict=True)
    )


def expected_of(embeddings: EmbeddingSet, protocol: str) -> Expected:
    names = embeddings.subjects, embeddings.conditions, embeddings.views
    return expected_submission(load_protocol(protocol), *names)[0]


def test_a_grew_file_names_the_20_nearest_by_number() -> None:
    embeddings = grew_like()
    header, *rows = make_submission(embeddings, load_protocol("grew")).splitlines()
    assert header == "videoId," + ",".join(f"rank{k}" for k in range(1, 21))
    assert [row.split(",")[0] for row in rows] == [f"p{i}x" for i in range(NUM_PROBES)]
    vectors, gallery = embeddings.embeddings, 2 * NUM_SUBJECTS
    for i, row in enumerate(rows):
        distances = (vectors[gallery + i] - vectors[:gallery]).norm(dim=-1).mean(-1)
        nearest = [str(int(embeddings.subjects[j])) for j in distances.argsort()[:20].tolist()]
        assert row.split(",")[1:] == nearest


def test_distractors_are_in_the_gallery_of_their_own_protocol_only() -> None:
    embeddings = grew_like(distractors=40)
    assert "99999" not in make_submission(embeddings, load_protocol("grew"))
    text = make_submission(embeddings, load_protocol("grew/distractors"))
    assert ",99999" in text
    assert check_submission(text, expected_of(embeddings, "grew/distractors")) == NUM_PROBES


def test_a_gallery_that_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, protocol = grew_like(), load_protocol("grew")
    expected = make_submission(embeddings, protocol)
    monkeypatch.setattr(submission_module, "GALLERY_PER_BLOCK", 11)
    monkeypatch.setattr(submission_module, "PROBES_PER_BLOCK", 4)
    assert make_submission(embeddings, protocol) == expected


def test_a_hid_file_names_the_nearest_subject_as_it_is_written() -> None:
    embeddings = hid_like()
    plain = dataclasses.replace(load_protocol("hid"), rerank=None)
    header, *rows = make_submission(embeddings, plain).splitlines()
    assert header == "videoID,label"
    assert [row[:6] for row in rows] == ["000007", "000003", "000005"]
    assert all(len(row.split(",")[1]) == 5 for row in rows)
    distances = (embeddings.embeddings[12] - embeddings.embeddings[:12]).norm(dim=-1).mean(-1)
    assert rows[0].endswith(f",{int(distances.argmin()):05}")


def test_hid_is_re_ranked_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = load_protocol("hid")
    assert protocol.rerank == ReRanking(6, 6, 0.3)
    text = make_submission(hid_like(), protocol)
    monkeypatch.setattr(submission_module, "PROBES_PER_BLOCK", 2)
    assert make_submission(hid_like(), protocol) == text
    assert check_submission(text, expected_of(hid_like(), "hid")) == 3


def test_the_names_of_probes_in_the_layout_of_hid_2022() -> None:
    found = hid_like()
    swapped = EmbeddingSet(found.embeddings, found.subjects, found.views, found.conditions)
    assert make_submission(swapped, load_protocol("hid")) == make_submission(found, load_protocol("hid"))


def with_rows(change: dict[int, str]) -> str:
    lines = make_submission(grew_like(), load_protocol("grew")).splitlines()
    changed = [change.get(i, line) for i, line in enumerate(lines)]
    return "".join(f"{line}\n" for line in changed if line)


GOOD_ROW = ",".join(["1"] * 20)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the header is '', expected .videoId,rank1"),
        (with_rows({0: "videoID,label"}), "the header is 'videoID,label', expected .videoId"),
        (with_rows({3: ""}), "it has 8 rows, expected one for each of the 9 probes; 1 probe names are missing: p2x"),
        (with_rows({3: f"p0x,{GOOD_ROW}"}), "1 probe names come more than once: p0x; 1 probe names are missing: p2x"),
        (with_rows({3: f"zzz,{GOOD_ROW}"}), "1 probe names are no probes: zzz"),
        (with_rows({3: f"p2x,{GOOD_ROW},1"}), "lines 4 do not have 21 columns"),
        (with_rows({3: f"p2x,77,{GOOD_ROW[2:]}"}), "1 subjects are not in the gallery: 77"),
        (
            with_rows({3: f"p2x,00001,{GOOD_ROW[2:]}"}),
            "not in the gallery: 00001 .subjects are numbers without leading",
        ),
    ],
)
def test_the_check_says_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"not a submission for protocol grew: .*{problem}"):
        check_submission(text, expected_of(grew_like(), "grew"))


def test_a_file_is_written_whole_and_never_over_another(tmp_path: Path) -> None:
    expected, path = expected_of(grew_like(), "grew"), tmp_path / "made" / "grew.csv"
    text = make_submission(grew_like(), load_protocol("grew"))
    write_submission(text, path, expected)
    assert path.read_bytes().decode() == text
    assert [file.name for file in path.parent.iterdir()] == ["grew.csv"]
    with pytest.raises(FileExistsError, match="exists already"):
        write_submission(text, path, expected)
    with pytest.raises(ValueError, match="not a submission"):
        write_submission(text[:-9], path.with_name("other.csv"), expected)
    assert [file.name for file in path.parent.iterdir()] == ["grew.csv"]


def test_what_would_make_a_wrong_file_is_an_error() -> None:
    found = grew_like()

    def renamed(column: str, old: str, new: str) -> EmbeddingSet:
        columns = {key: list(getattr(found, key)) for key in ("subjects", "conditions", "views")}
        columns[column] = [name.replace(old, new) for name in columns[column]]
        return EmbeddingSet(found.embeddings, *map(tuple, columns.values()))

    cases = [
        ("grew/local", found, "grew/local writes no submission"),
        ("grew", renamed("views", "p1x", "p0x"), "1 names belong to several probes: p0x"),
        ("grew", renamed("conditions", "02", "05"), "names 20 gallery sequences, but there are only 14"),
        ("grew", renamed("subjects", "00003", "Eve"), "'Eve' is none"),
        ("grew", renamed("subjects", "probe", "p"), "no sequence is of the probe set all"),
    ]
    for protocol, embeddings, message in cases:
        with pytest.raises(ValueError, match=message):
            make_submission(embeddings, load_protocol(protocol))


def test_embeddings_that_are_not_finite() -> None:
    embeddings = grew_like()
    embeddings.embeddings[3] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        make_submission(embeddings, load_protocol("grew"))
