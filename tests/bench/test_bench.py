"""The bench runs, with whatever is installed, in its shortest form; its figures then say nothing."""

from pathlib import Path
from xml.etree import ElementTree

from .__main__ import PARTS, bench
from .clients import compiled, upstream
from .comparison import CASES
from .measure import QUICK, Place
from .subjects import SUBJECTS


def test_every_table_has_figures_and_the_chart_is_drawn(tmp_path: Path) -> None:
    compiled(tmp_path)
    with upstream(tmp_path) as port:
        tables = list(bench(Place(tmp_path, port, QUICK), list(PARTS), list(SUBJECTS), tmp_path / "chart.svg"))
    titles = [table.title for table in tables]
    assert {f"{dialect}: {case}" for dialect in ("rfc6455", "hixie-76") for case in CASES} < set(titles)
    for table in tables:
        print(table)
        assert table.rows
        wrong = [row[table.columns.index("wrong")] for row in table.rows if "wrong" in table.columns]
        assert set(wrong) <= {"0"}, table
    assert texts(tmp_path / "chart.svg").count("wsgateway") == 2 * len(CASES)


def texts(chart: Path) -> list[str | None]:
    """Return what is written in a chart."""
    return [each.text for each in ElementTree.parse(chart).iter("{http://www.w3.org/2000/svg}text")]


def test_the_chart_that_the_readme_shows_has_every_case_and_every_subject() -> None:
    written = texts(Path(__file__).parent / "figures.svg")
    for dialect in ("rfc6455", "hixie-76"):
        for case in CASES:
            assert {f"{dialect}: {case}", f"{dialect}: {case}, an echo"} & set(written), case
    assert set(SUBJECTS) <= set(written)
