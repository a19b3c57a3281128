from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from gaitway.evaluation import EmbeddingSet, Protocol, Result, Selection, SetResult, evaluate, load_protocol
from gaitway.evaluation import evaluator as evaluator_module
from gaitway.evaluation.protocol import WithoutMatch
from tests.evaluation.test_distance import naive_euclidean
from tests.evaluation.test_ranking import naive_equal_error_rate, naive_rank

SUBJECTS = tuple(f"{s:03}" for s in range(1, 9))
CONDITIONS = (*(f"nm-0{i}" for i in range(1, 7)), "bg-01", "bg-02", "cl-01", "cl-02")
VIEWS = ("000", "018", "090")
RANKS = (1, 5, 10)


def casia_like(
    subjects: Sequence[str] = SUBJECTS,
    conditions: Sequence[str] = CONDITIONS,
    views: Sequence[str] = VIEWS,
    *,
    without: Callable[[str, str, str], bool] = lambda subject, condition, view: False,
) -> EmbeddingSet:
    """Random embeddings of CASIA-B's design in which subjects can be told apart, not perfectly; some left out."""
    names = [(s, c, v) for s in subjects for c in conditions for v in views if not without(s, c, v)]
    rng = np.random.default_rng(0)
    own = {subject: rng.normal(size=(3, 8)) for subject in sorted(subjects)}
    embeddings = np.stack([own[subject] + rng.normal(0, 1.5, (3, 8)) for subject, _, _ in names])
    columns = zip(*names, strict=True)
    return EmbeddingSet(torch.from_numpy(embeddings.astype(np.float32)), *columns)


def some_missing(subject: str, condition: str, view: str) -> bool:
    """Like CASIA-B's own gaps: single sequences, and a subject that one gallery view lacks whole."""
    return (subject, condition, view) == ("002", "cl-01", "090") or (
        subject == "003" and view == "018" and condition in ("nm-01", "nm-02", "nm-03", "nm-04")
    )


def rows_of(embeddings: EmbeddingSet, conditions: Sequence[str], view: str | None = None) -> list[int]:
    return [
        row
        for row, (c, v) in enumerate(zip(embeddings.conditions, embeddings.views, strict=True))
        if c in conditions and view in (None, v)
    ]


def gallery_conditions(protocol: Protocol) -> Sequence[str]:
    assert isinstance(protocol.gallery, Selection)
    return protocol.gallery.conditions


def naive_cell(
    embeddings: EmbeddingSet, probes: list[int], gallery: list[int], *, exclude_same_view: bool
) -> dict[str, float]:
    """One cell of a table, probe by probe, unrounded percentages."""
    distances = naive_euclidean(embeddings.embeddings[probes], embeddings.embeddings[gallery]).numpy()
    subjects, views = np.array(embeddings.subjects), np.array(embeddings.views)
    found = []
    for row, probe in enumerate(probes):
        matches = subjects[gallery] == subjects[probe]
        own_view = matches & (views[gallery] == views[probe])
        valid = ~own_view if exclude_same_view else np.ones_like(matches)
        found.append(naive_rank(distances[row], matches, valid))
    first, average_precision, penalty, _ = np.array(found).T
    figures = {f"rank-{k}": 100 * float(np.sum(first <= k)) / len(probes) for k in RANKS}
    return figures | {"mAP": 100 * np.nanmean(average_precision), "mINP": 100 * np.nanmean(penalty)}


def assert_figures(found: SetResult, tables: dict[str, np.ndarray], excluded: np.ndarray) -> None:
    for key, table in tables.items():
        figure = found.figures[key]
        rounded = np.round(table, 2)
        np.testing.assert_allclose(figure.matrix(), rounded, atol=1e-9, err_msg=key)
        assert figure.published == pytest.approx(rounded[~excluded].mean(), abs=1e-9)
        assert figure.unrounded == pytest.approx(table[~excluded].mean(), abs=1e-9)


@pytest.mark.parametrize("without", [lambda *_: False, some_missing])
def test_single_view_gallery_equals_the_definition(without: Callable[[str, str, str], bool]) -> None:
    embeddings, protocol = casia_like(without=without), load_protocol("casia-b")
    result = evaluate(embeddings, protocol)
    assert (result.probe_groups, result.gallery_groups) == (VIEWS, VIEWS)
    for name, selection in protocol.probes.items():
        cells = [
            [
                naive_cell(
                    embeddings,
                    rows_of(embeddings, selection.conditions, probe_view),
                    rows_of(embeddings, gallery_conditions(protocol), gallery_view),
                    exclude_same_view=False,
                )
                for gallery_view in VIEWS
            ]
            for probe_view in VIEWS
        ]
        tables = {key: np.array([[cell[key] for cell in row] for row in cells]) for key in cells[0][0]}
        diagonal = np.eye(len(VIEWS), dtype=bool)
        assert_figures(result.sets[name], tables, diagonal)
        figure, rounded = result.sets[name].figures["rank-1"], np.round(tables["rank-1"], 2)
        assert figure.including_identical == pytest.approx(rounded.mean())
        assert figure.identical_only == pytest.approx(rounded[diagonal].mean())
        assert figure.including_identical != pytest.approx(figure.published)


@pytest.mark.parametrize("without", [lambda *_: False, some_missing])
def test_cross_view_gallery_equals_the_definition(without: Callable[[str, str, str], bool]) -> None:
    embeddings, protocol = casia_like(without=without), load_protocol("casia-b/cross-view")
    result = evaluate(embeddings, protocol)
    assert (result.probe_groups, result.gallery_groups) == (VIEWS, ("all",))
    gallery = rows_of(embeddings, gallery_conditions(protocol))
    for name, selection in protocol.probes.items():
        cells = [
            naive_cell(embeddings, rows_of(embeddings, selection.conditions, view), gallery, exclude_same_view=True)
            for view in VIEWS
        ]
        tables = {key: np.array([[cell[key]] for cell in cells]) for key in cells[0]}
        assert_figures(result.sets[name], tables, np.zeros((len(VIEWS), 1), dtype=bool))
        assert result.sets[name].figures["rank-1"].including_identical is None


@pytest.mark.parametrize(("name", "same_subject_only"), [("casia-b", False), ("casia-b/cross-view", True)])
def test_equal_error_rate_is_over_all_valid_pairs(name: str, same_subject_only: bool) -> None:
    embeddings, protocol = casia_like(without=some_missing), load_protocol(name)
    gallery = rows_of(embeddings, gallery_conditions(protocol))
    subjects, views = np.array(embeddings.subjects), np.array(embeddings.views)
    result = evaluate(embeddings, protocol)
    for key, selection in protocol.probes.items():
        probes = rows_of(embeddings, selection.conditions)
        distances = naive_euclidean(embeddings.embeddings[probes], embeddings.embeddings[gallery]).numpy()
        matches = subjects[probes][:, None] == subjects[gallery]
        excluded = views[probes][:, None] == views[gallery]
        if same_subject_only:
            excluded &= matches
        expected = naive_equal_error_rate(distances[~excluded], matches[~excluded])
        assert expected is not None
        assert result.sets[key].equal_error_rate == pytest.approx(100 * expected, abs=0.1)


def test_counts_and_notes_of_a_test_set_with_gaps() -> None:
    complete, gaps = (
        evaluate(casia_like(), load_protocol("casia-b")),
        evaluate(casia_like(without=some_missing), load_protocol("casia-b")),
    )
    assert complete.notes() == []
    assert (complete.num_gallery, complete.num_subjects, complete.num_missing, complete.num_unused) == (96, 8, 0, 0)
    assert (gaps.num_gallery, gaps.num_missing) == (92, 4)
    assert {name: (s.num_probes, s.num_missing, s.num_unmatched) for name, s in gaps.sets.items()} == {
        "NM": (48, 0, 4),  # two sequences of subject 003 in two other views, searched in a gallery view without it
        "BG": (48, 0, 4),
        "CL": (47, 1, 4),
    }
    assert gaps.notes()[0].startswith("5 of the 240 sequences")
    assert evaluate(casia_like(), load_protocol("casia-b/cross-view")).num_unused == 4 * 3 * 8


def test_chance_is_what_guessing_gives() -> None:
    result = evaluate(casia_like(), load_protocol("casia-b"))
    assert result.sets["NM"].chance == pytest.approx(100 / 8)
    result = evaluate(casia_like(), load_protocol("casia-b/cross-view"))
    assert result.sets["NM"].chance == pytest.approx(100 * 6 / 69)  # 3 conditions × 2 other views of 72 - 3


def test_the_curve_begins_with_rank_1_and_ends_at_100_percent() -> None:
    nm = evaluate(casia_like(), load_protocol("casia-b")).sets["NM"]
    assert len(nm.cmc) == 32  # the whole gallery of one view
    assert nm.cmc[0] == nm.figures["rank-1"].unrounded
    assert nm.cmc[4] == nm.figures["rank-5"].unrounded
    assert list(nm.cmc) == sorted(nm.cmc)
    assert nm.cmc[-1] == pytest.approx(100)


def reordered(embeddings: EmbeddingSet, order: Sequence[int]) -> EmbeddingSet:
    columns = (embeddings.subjects, embeddings.conditions, embeddings.views)
    return EmbeddingSet(embeddings.embeddings[list(order)], *(tuple(c[row] for row in order) for c in columns))


@pytest.mark.parametrize("name", ["casia-b", "casia-b/cross-view"])
def test_the_order_of_the_sequences_does_not_matter(name: str) -> None:
    embeddings = casia_like()
    order = np.random.default_rng(1).permutation(len(embeddings)).tolist()
    found = evaluate(reordered(embeddings, order), load_protocol(name))
    assert found.figures() == pytest.approx(evaluate(embeddings, load_protocol(name)).figures())


def test_sequences_that_the_protocol_does_not_use_change_nothing() -> None:
    used = casia_like(views=("000", "018"))
    more = casia_like(views=("000", "018"), conditions=(*CONDITIONS, "zz-01"))
    keep = [row for row, condition in enumerate(more.conditions) if condition != "zz-01"]
    names = (used.subjects, used.conditions, used.views)
    with_others, alone = (
        evaluate(more, load_protocol("casia-b")),
        evaluate(EmbeddingSet(more.embeddings[keep], *names), load_protocol("casia-b")),
    )
    assert with_others == dataclasses.replace(alone, num_unused=16)


@pytest.mark.parametrize("size", [7, 100])
def test_blocks_do_not_change_the_figures(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    embeddings, protocol = casia_like(without=some_missing), load_protocol("casia-b")
    expected = evaluate(embeddings, protocol)
    done: list[int] = []
    monkeypatch.setattr(evaluator_module, "PROBES_PER_BLOCK", size)
    assert evaluate(embeddings, protocol, progress=done.append) == expected
    assert sum(done) == 48 + 48 + 47
    assert max(done) == size


def test_a_collapsed_model_is_at_chance() -> None:
    embeddings = casia_like()
    collapsed = dataclasses.replace(embeddings, embeddings=torch.ones_like(embeddings.embeddings))
    nm = evaluate(collapsed, load_protocol("casia-b")).sets["NM"]
    assert nm.figures["rank-1"].published == nm.chance
    assert nm.equal_error_rate == pytest.approx(50)


def test_one_table_cell_where_the_protocol_does_not_split_by_view() -> None:
    protocol = Protocol(
        name="wild",
        dataset="wild",
        measures=".",
        gallery=Selection(("nm-0[1-4]",)),
        probes={"all": Selection(("bg-*",))},
    )
    embeddings = casia_like()
    result = evaluate(embeddings, protocol)
    cell = naive_cell(
        embeddings,
        rows_of(embeddings, ("bg-01", "bg-02")),
        rows_of(embeddings, ("nm-01", "nm-02", "nm-03", "nm-04")),
        exclude_same_view=False,
    )
    assert (result.probe_groups, result.gallery_groups) == (("all",), ("all",))
    for key, value in cell.items():
        assert result.sets["all"].figures[key].published == pytest.approx(value)


def test_probe_sets_may_overlap() -> None:
    protocol = load_protocol("casia-b")
    overlapping = dataclasses.replace(
        protocol, probes={**protocol.probes, "Overall": Selection(("nm-05", "nm-06", "bg-*", "cl-*"))}
    )
    result = evaluate(casia_like(), overlapping)
    assert {name: result.sets[name] for name in protocol.probes} == evaluate(casia_like(), protocol).sets
    three = np.mean([result.sets[name].figures["rank-1"].unrounded for name in protocol.probes])
    assert result.sets["Overall"].figures["rank-1"].unrounded == pytest.approx(three)


def lacks_subject(subject: str, condition: str, view: str) -> bool:
    return subject in ("002", "005") and condition in ("nm-01", "nm-02", "nm-03", "nm-04")


def evaluate_without_match(policy: WithoutMatch) -> Result:
    protocol = dataclasses.replace(load_protocol("casia-b"), without_match=policy)
    return evaluate(casia_like(without=lacks_subject), protocol)


def test_a_gallery_without_a_probes_subject_is_an_error_that_names_the_subject() -> None:
    with pytest.raises(ValueError, match="has no sequence of 2 subjects that the probes show: 002, 005. .* add their"):
        evaluate_without_match("error")


def test_or_a_miss_or_left_out_as_the_protocol_says() -> None:
    miss, skip = evaluate_without_match("miss").sets["NM"], evaluate_without_match("skip").sets["NM"]
    assert (miss.num_probes, miss.num_unmatched) == (48, 2 * 2 * 3 * 2)
    assert (skip.num_probes, skip.num_unmatched) == (36, 0)
    assert miss.figures["rank-1"].unrounded == pytest.approx(skip.figures["rank-1"].unrounded * 36 / 48)
    assert miss.figures["mAP"].unrounded == pytest.approx(skip.figures["mAP"].unrounded)


def failing(without: Callable[[str, str, str], bool], protocol: str = "casia-b") -> None:
    evaluate(casia_like(without=without), load_protocol(protocol))


@pytest.mark.parametrize(
    ("without", "message"),
    [
        (
            lambda s, c, v: c.startswith("cl"),
            "no sequence is of the probe set CL .conditions cl-01, cl-02.; .*conditions bg-01, bg",
        ),
        (lambda s, c, v: c.startswith("nm"), "no sequence is of the gallery"),
        (
            lambda s, c, v: c.startswith("bg") and v == "018",
            "needs probes of BG in every view, there are none in view 018",
        ),
        (lambda s, c, v: c in CONDITIONS[:4] and v == "090", "needs gallery sequences in every view, .* view 090"),
        (lambda s, c, v: v != "090", "compares different views, but all sequences are of view 090"),
        (lambda s, c, v: s > "002", "reports rank-10, but the gallery of view 000 has only 8 sequences"),
    ],
)
def test_what_would_give_wrong_figures_is_an_error(without: Callable[[str, str, str], bool], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        failing(without)


def test_a_rank_beyond_the_cross_view_gallery() -> None:
    with pytest.raises(ValueError, match="reports rank-10, but the gallery has only 9 sequences"):
        failing(lambda s, c, v: s > "002" or v == "090", "casia-b/cross-view")


def test_probes_and_gallery_of_different_people() -> None:
    def other_people(subject: str, condition: str, view: str) -> bool:
        return (subject > "004") == (condition in CONDITIONS[:4])

    protocol = dataclasses.replace(load_protocol("casia-b"), without_match="miss")
    with pytest.raises(ValueError, match="no sequence of any subject of probe set NM"):
        evaluate(casia_like(without=other_people), protocol)


def test_matches_in_the_same_view_only() -> None:
    def one_view_each(subject: str, condition: str, view: str) -> bool:
        return view != ("000" if subject < "005" else "018")

    with pytest.raises(ValueError, match="no probe of set NM has a match among .* in other views"):
        failing(one_view_each)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_embeddings_that_are_not_finite_are_named(value: float) -> None:
    embeddings = casia_like()
    embeddings.embeddings[31, 1, 2] = value
    with pytest.raises(ValueError, match=f"1 of 240 embeddings are not finite.*: {embeddings.names[31]};"):
        evaluate(embeddings, load_protocol("casia-b"))


def test_figures_are_finite_without_other_subjects_to_confuse() -> None:
    protocol = dataclasses.replace(load_protocol("casia-b"), ranks=(1,))
    result = evaluate(casia_like(subjects=("001",)), protocol)
    assert result.sets["NM"].figures["rank-1"].published == 100
    assert result.sets["NM"].equal_error_rate is None
    assert Result.from_json(result.to_json()) == result


def ccpg_like(*, alone: str = "") -> EmbeddingSet:
    """CCPG's settings with 6 subjects and 2 videos by each of 2 cameras; `alone` has its U0_D3 in camera 01 only."""
    conditions = ("U0_D0", "U0_D0_BG", "U0_D3", "U1_D0", "U1_D1", "U2_D2", "U3_D3")
    return casia_like(
        SUBJECTS[:6],
        conditions,
        ("01_0", "01_1", "03_0", "03_1"),
        without=lambda s, c, v: s == alone and c in ("U0_D3", "U3_D3") and not v.startswith("01"),
    )


def test_probe_sets_with_galleries_of_their_own() -> None:
    """The same figures as four protocols of one setting each."""
    embeddings = ccpg_like()
    for name in ("ccpg", "ccpg/reid"):
        protocol = load_protocol(name)
        result = evaluate(embeddings, protocol)
        assert result.num_gallery == 6 * 4 * 5  # all but U0_D0_BG and U1_D0
        for key, gallery in protocol.galleries.items():
            alone = dataclasses.replace(protocol, gallery=gallery, probes={key: protocol.probes[key]})
            assert evaluate(embeddings, alone).sets[key] == result.sets[key]
            assert result.sets[key].num_gallery == 6 * 4 * len(gallery.conditions)
    assert evaluate(embeddings, load_protocol("ccpg")).gallery_groups == ("01", "03")


def test_re_identification_leaves_out_who_is_in_no_other_camera() -> None:
    """Rank figures too, where the cross-view gallery of CASIA-B counts such a probe as a miss."""
    skipped = evaluate(ccpg_like(alone="002"), load_protocol("ccpg/reid"))
    assert skipped.sets["UP"].num_probes == 5 * 4
    assert skipped.sets["CL"].num_probes == 6 * 8
    assert skipped.sets["UP"].num_unmatched == 0
    protocol = dataclasses.replace(load_protocol("ccpg/reid"), without_match="miss")
    missed = evaluate(ccpg_like(alone="002"), protocol).sets["UP"]
    assert (missed.num_probes, missed.num_unmatched) == (5 * 4 + 2, 2)


def test_views_that_count_for_nothing() -> None:
    protocol = load_protocol("casia-b")
    without = evaluate(casia_like(), dataclasses.replace(protocol, without_views=("018",)))
    fewer = casia_like(views=("000", "090"))
    keep = [row for row, view in enumerate(casia_like().views) if view != "018"]
    vectors = casia_like().embeddings[keep]
    expected = evaluate(dataclasses.replace(fewer, embeddings=vectors), protocol)
    assert without.sets == expected.sets
    assert without.num_unused == 80


def gait3d_like(num_subjects: int = 20) -> EmbeddingSet:
    """The listed probe and two other sequences of subjects of Gait3D's test set."""
    listed = sorted(load_protocol("gait3d").probes["all"].listed or ())[:num_subjects]
    names = [tuple(name.split("-")) for name in listed]
    names += [(subject, f"camid{camera}_videoid1", "seq9") for subject, *_ in names for camera in (1, 2)]
    vectors = torch.from_numpy(np.random.default_rng(0).normal(size=(len(names), 2, 8)).astype(np.float32))
    return EmbeddingSet(vectors, *zip(*names, strict=True))


def test_a_list_of_probes_and_all_others_as_gallery() -> None:
    result = evaluate(gait3d_like(), load_protocol("gait3d"))
    assert (result.sets["all"].num_probes, result.num_gallery, result.notes()) == (20, 40, [])
    assert result.figures().keys() == {"all/rank-1", "all/rank-5", "all/rank-10", "all/mAP", "all/mINP", "all/EER"}


def test_a_few_listed_sequences_may_be_missing_and_are_counted() -> None:
    found = gait3d_like()
    lost = EmbeddingSet(found.embeddings[3:], found.subjects[3:], found.conditions[3:], found.views[3:])
    result = evaluate(lost, load_protocol("gait3d"))
    assert result.sets["all"].num_missing == 3
    assert "3 of the 60 sequences that the protocol expects are missing" in result.notes()[0]


@pytest.mark.parametrize("found", [0, 9])
def test_a_list_that_does_not_match_is_an_error(found: int) -> None:
    whole = gait3d_like()
    views = tuple(view if row < found else f"{view}.pkl" for row, view in enumerate(whole.views))
    with pytest.raises(ValueError, match=f"is a list that does not match this data set: {found} of the 20 listed"):
        evaluate(dataclasses.replace(whole, views=views), load_protocol("gait3d"))


def test_a_submission_has_no_figures() -> None:
    with pytest.raises(ValueError, match="protocol grew gives no figures, .* --submission FILE"):
        evaluate(casia_like(), load_protocol("grew"))
