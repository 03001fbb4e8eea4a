"""The table: numbers, ratios, what is reached, and why something is missing."""

import pytest

from benchmarks import report
from benchmarks.figures import number
from benchmarks.results import Cell, Result
from benchmarks.rows import METRICS, ROWS
from pulp_hugging_face.tests.docs_blocks import PROJECT


def line(result: Result, title: str) -> dict[str, str]:
    """Return a line of the table by its headings."""
    (found,) = (row for row in report.lines(result) if row[0] == title)
    return dict(zip(report.headings(result), found, strict=True))


def test_a_result_survives_its_file(result, tmp_path):
    path = tmp_path / "results" / "one.json"
    result.write(path)
    assert Result.read(path) == result


def test_a_file_of_another_format_is_refused(tmp_path):
    path = tmp_path / "old.json"
    path.write_text('{"format": 0}')
    with pytest.raises(ValueError, match=r"old\.json is not a result"):
        Result.read(path)


def test_medians_extremes_and_ratios(result):
    row = line(result, "small file, GET")
    assert row["pulp_hugging_face"] == "4,000 (3,000–5,000)"
    assert row["nginx, files"] == "20,000"
    assert row["ours ÷ nginx files"] == number(0.2)
    assert row["ours ÷ Olah"] == "400"
    assert row["to reach"] == "≥ 3,000, ≥ 50× Olah, ≥ 0.12× nginx files"
    assert row["reached"] == "yes"


def test_one_missed_target_is_a_no(result):
    result.cells["hot-get"]["olah"].samples = [100.0]
    assert line(result, "small file, GET")["reached"] == "no"
    assert line(result, "large file, cold: all of it")["reached"] == "no"  # 0.67 of proxy_cache


def test_a_run_fails_when_an_asserted_target_is_missed(result):
    result.cells["commit-ratio"] = {"ours": Cell(samples=[1.1])}
    assert report.missed(result) == []
    for ratio in (0.7, 1.3):
        result.cells["commit-ratio"] = {"ours": Cell(samples=[ratio])}
        assert report.missed(result) == ["1,000,000 files ÷ 10 files"]


def test_what_was_not_compared_is_not_said_to_be_reached(result):
    result.cells["hot-get"]["olah"] = Cell(reason="Olah cannot be installed")
    row = line(result, "small file, GET")
    assert row["reached"] == "–" and row["ours ÷ Olah"] == "–"


def test_a_quick_run_reaches_nothing(result):
    result.mode = "quick"
    assert line(result, "small file, GET")["reached"] == "–"
    assert report.provenance(result)[0].startswith("quick:")


def test_failures_and_absence_are_told_apart_and_explained(result):
    assert line(result, "small file, GET")["nginx, proxy_cache"] == "failed"
    cold = line(result, "large file, cold: all of it")
    assert cold["Olah"] == "not measured"
    assert cold["nginx, files"] == "–"
    assert "Olah: Olah cannot be installed: no network" in "\n".join(report.reasons(result))


def test_other_work_has_no_ratio(result):
    row = line(result, "snapshot of 3,000 small files, cold")
    assert row["Olah"] == "150 [300 files]"
    assert row["ours ÷ Olah"] == "–"
    assert row["reached"] == "yes"


def test_markdown_has_whole_rows_and_no_foreign_markup(result):
    text = report.markdown(result)
    table = [text for text in text.splitlines() if text.startswith("|")]
    assert len({row.count("|") for row in table}) == 1
    assert "the size is 1 / not &lt;2>" in text
    assert "A processor, 2 cores" in text and "commit c0ffee" in text


def test_the_screen_has_table_and_reasons(result):
    text = report.screen(result)
    assert "4,000 (3,000–5,000)" in text and "no network" in text


def test_the_page_takes_a_result_again_and_again(result):
    page = report.PAGE.read_text(encoding="utf-8")
    once = report.into_page(page, result)
    assert report.markdown(result) in once
    assert report.into_page(once, result) == once


def test_a_page_without_a_place_is_refused(result):
    with pytest.raises(report.NoPlace):
        report.into_page("# Performance\n", result)


def test_the_page_explains_every_line():
    assert report.meanings() in report.PAGE.read_text(encoding="utf-8")


def test_names_of_rows_and_metrics_are_unique():
    assert len(METRICS) == sum(len(row.metrics) for row in ROWS.values())
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)


def test_results_stay_out_of_the_repository():
    assert "/benchmarks/results/" in (PROJECT / ".gitignore").read_text().splitlines()
