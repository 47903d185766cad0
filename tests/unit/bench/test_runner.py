"""The benchmarks' runner: all of them are run, and what was missed or broke is told. The servers that a benchmark needs are there."""

import pytest

from tests.bench import __main__ as runner
from tests.bench import bench_removal, marks


@pytest.fixture(autouse=True)
def no_marks(monkeypatch):
    monkeypatch.setattr(marks, "missed", [])


def fails():
    raise AssertionError("the server has only 4")


def gives_up():
    raise SystemExit("no such thing")


def test_a_benchmark_that_breaks_stops_no_other_and_is_named_at_the_end(capsys):
    ran = []
    broken = runner.run({"one": fails, "two": gives_up, "three": lambda: ran.append(3)})
    said = capsys.readouterr().out
    assert broken == ["one", "two"] and ran == [3]
    assert "the server has only 4" in said and "no such thing" in said and "-- three: done" in said
    assert said.splitlines()[-2:] == ["BROKEN: %s; its figures above are not whole" % name for name in broken]


@pytest.mark.parametrize("benchmark, status", [(fails, 1), (lambda: marks.at_most(2, 1, "it"), 0)])
def test_the_exit_status_tells_of_breakage_and_not_of_slowness(monkeypatch, benchmark, status):
    monkeypatch.setattr(runner, "named", lambda name: benchmark)
    monkeypatch.setattr("sys.argv", ["bench", "removal"])
    with pytest.raises(SystemExit) as end:
        runner.main()
    assert end.value.code == status


def test_a_missed_mark_says_so_beside_the_figure_and_at_the_end(capsys):
    texts = []
    runner.run(
        {"one": lambda: texts.extend([marks.at_most(1.5, 1.5, "a ratio"), marks.at_most(21, 20, "a time", " ms")])}
    )
    assert texts == ["(mark: at most 1.5)", "(mark: at most 20 ms, MISSED)"]
    assert capsys.readouterr().out.splitlines()[-1] == "MISSED: a time is 21.00 ms, the mark is at most 20 ms"


@pytest.mark.parametrize("vms, weeks, increments", [(1, 1, 299), (5, 1, 6), (2, 3, 5)])
def test_the_server_of_the_removals_has_the_chains_that_its_title_says(tmp_path, vms, weeks, increments):
    trees = bench_removal.trees(bench_removal.server(tmp_path / "server", vms, weeks, increments))
    assert len(trees) == vms
    assert all(len(chains) == weeks for uuid, chains in trees)
    assert max(len(chain) for uuid, chains in trees for chain in chains) == 1 + increments
