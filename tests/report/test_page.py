from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gaitway.data.store import FrameFormat, Store
from gaitway.data.store_writer import StoreWriter
from gaitway.report import Contents, comparison, render, write_report
from gaitway.report.charts import line_chart
from tests.report.walking import poses, silhouettes

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Collects text and attributes, and checks that every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def html(contents: Contents) -> str:
    return render(contents)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_page_needs_nothing_else(html: str, page: Page) -> None:
    outside = [value for _, key, value in page.attributes if key in ("src", "href") and not value.startswith("data:")]
    assert {value[0] for value in outside} == {"#"}
    assert "http" not in html
    assert "url(" not in html
    assert "<script" not in html


def test_page_names_recipe_protocol_and_what_it_measures(page: Page, contents: Contents) -> None:
    assert "casia-b/gaitset · casia-b" in page.text
    assert contents.results[0].measures in page.text
    assert "euclidean distance" in page.text
    assert "A <test> of the report." in page.text  # escaped, so that it is text and no element


def test_published_figures_come_with_their_number_of_steps(page: Page) -> None:
    assert "published, 40,000 steps" in page.text
    assert "This run has 300 of them (0.75 %), so the two are not the same experiment." in page.text


def test_figures_are_those_of_the_result(page: Page, contents: Contents) -> None:
    result = contents.results[0]
    for found in result.sets.values():
        assert f"{found.figures['rank-1'].published:.1f} %" in page.text
        for key in ("rank-5", "mAP"):
            assert f"{found.figures[key].published:.1f}" in page.text
    cell = result.sets["CL"].figures["rank-1"].cells[0][2]
    assert ("td", "title", f"probe 000, gallery 090: {cell:.2f} %") in page.attributes


def test_excluded_cells_are_marked(page: Page) -> None:
    cells = [value for tag, key, value in page.attributes if tag == "td" and key == "class"]
    assert sum("excluded" in value for value in cells) == 3 * 3  # sets × views


def test_all_pictures_have_words(html: str, page: Page) -> None:
    pictures = sum(1 for _ in re.finditer(r"<img ", html))
    assert pictures == 6 * 5
    assert sum(1 for tag, key, value in page.attributes if (tag, key) == ("img", "alt") and value) == pictures
    charts = len(re.findall(r'role="img"', html))
    assert charts == 6  # CMC, loss, triplets, learning rate, rank-1, map
    assert sum(1 for tag, key, value in page.attributes if (tag, key) == ("svg", "aria-label") and value) == charts


def test_right_and_wrong_are_said_in_words(page: Page) -> None:
    assert "✓ right" in page.text
    assert "✗ wrong" in page.text
    assert "The first right one is number" in page.text


def test_page_says_how_it_was_made(page: Page, contents: Contents) -> None:
    assert contents.store is not None
    assert "a <test>" in page.text  # the recipe
    for words in ("150 sequences", "tests <&>", "gaitway 0.", "torch 2.", "precision 32", "UTC"):
        assert words in page.text
    assert contents.store.manifest.checksums["index.csv"][:16] in page.text


def test_bare_result_makes_a_page_too(contents: Contents) -> None:
    bare = Contents(recipe_name="mine.yaml", recipe_yaml="", description="Mine.", step=1, results=contents.results[1:])
    text = Page(render(bare)).text
    assert "There are no published figures for this recipe and protocol." in text
    assert "gaitway report RUN --data STORE" in text
    assert "By view" not in text  # one gallery of all views


def test_without_silhouettes_matches_are_still_named(contents: Contents) -> None:
    html = render(replace(contents, store=None))
    assert "<img" not in html
    assert "✗ wrong" in html


def test_no_result_is_an_error(contents: Contents) -> None:
    with pytest.raises(ValueError, match="gaitway evaluate RUN --data STORE"):
        render(replace(contents, results=[]))


def test_file_is_written_whole_or_not_at_all(
    contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    bare = replace(contents, embeddings=None)
    assert write_report(bare, path) == path
    before = path.read_text(encoding="utf-8")
    assert before.startswith("<!doctype html>")

    def broken(*args: object, **kwargs: object) -> str:
        raise RuntimeError("no chart")

    monkeypatch.setattr("gaitway.report.figures.line_chart", broken)
    with pytest.raises(RuntimeError, match="no chart"):
        write_report(bare, path)
    assert path.read_text(encoding="utf-8") == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    assert line_chart is not broken


def test_comparison_puts_run_published_others_and_chance_in_rows(contents: Contents) -> None:
    rows = comparison(contents)
    assert [row.method for row in rows] == [
        "this run, 300 steps",
        "published, 40,000 steps",
        "gait energy image",
        "chance",
    ]
    run, published, weak, chance = rows
    assert published.across == {"NM": 95.8, "BG": 90.0, "CL": 75.4}
    assert not published.same_view
    assert chance.across["NM"] == pytest.approx(20)
    assert chance.across["NM"] < weak.across["NM"] < run.across["NM"]
    assert run.same_view.keys() == {"NM", "BG", "CL"}


def test_published_figures_beyond_rank_1(contents: Contents) -> None:
    published = {"source": "the zoo", "rank1": {"NM": 95.8}, "figures": {"mAP": {"NM": 12.3}}}
    text = Page(render(replace(contents, published=published))).text
    assert re.search(r"published – – – – 12\.3 –", text)
    assert "published – – – – 12.3" not in Page(render(contents)).text


def test_re_ranked_figures_are_named_so(contents: Contents) -> None:
    text = Page(render(contents)).text
    assert "re-rank" not in text
    first, *others = contents.results
    re_ranked = replace(first, rerank="k1=6, k2=6, lambda=0.3")
    text = Page(render(replace(contents, results=[re_ranked, *others]))).text
    assert "euclidean distance re-ranked with k1=6, k2=6, lambda=0.3" in text
    assert "Distances are those before re-ranking." in text


def test_sequences_are_drawn_as_the_model_sees_them(contents: Contents, tmp_path: Path) -> None:
    """Skeletons for a model of poses, over silhouettes where there are some; else silhouettes alone."""
    formats = {"silhouettes": FrameFormat((64, 64)), "poses": FrameFormat((17, 3), "float32")}
    with StoreWriter(tmp_path / "store", dataset="casia-b", modalities=formats, made={}) as writer:
        for number, info in enumerate(contents.store.index if contents.store else ()):
            frames = {"silhouettes": silhouettes(4), "poses": poses(3 + (number > 0))}
            writer.add(info.subject, info.condition, info.view, frames)
    store = Store(tmp_path / "store")

    def shown(store: Store, modalities: tuple[str, ...]) -> tuple[set[str], Page]:
        page = Page(render(replace(contents, store=store, modalities=modalities)))
        alts = [value for tag, key, value in page.attributes if tag == "img" and key == "alt"]
        assert len(alts) == 30
        return {alt.partition(" of ")[0] for alt in alts}, page

    for modalities, what in ((("silhouettes",), "Silhouettes"), (("poses",), "Silhouettes and skeletons")):
        found, page = shown(store, modalities)
        assert found == {what}
        assert ("the walker's left, dots" in page.text) == (modalities == ("poses",))
    assert contents.store is not None
    assert shown(contents.store, ("poses",))[0] == {"Silhouettes"}  # what there is
