"""The race puts out every known cheat with a sentence, and nobody who is honest."""

from __future__ import annotations

import importlib
import json
import re
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from baregrad import racing

ROOT = Path(__file__).parent.parent
CHEATS = Path(__file__).parent / "cheats"
ROUNDS = 3
ALONE = {"OPENBLAS_NUM_THREADS": "1"}  # else its threads wait for each other on a busy machine


@pytest.fixture(autouse=True)
def _bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    # What the machine can do is not asked here: it takes time, and shows nothing beside other tests.
    monkeypatch.setattr(module("refusals"), "ceilings", lambda work: (1e9, 1e9))
    # On a busy machine more time passes between calls. The cheats keep back half of theirs.
    monkeypatch.setattr(module("refusals"), "SHARE", 0.3)
    monkeypatch.setattr(module("process"), "SETTLE", 0.01)


def module(name: str):
    return importlib.import_module(name)


def race(work, settings: list, rounds: int, seed: int | None = None) -> dict:
    with closing(module("process").Processes()) as processes:
        return module("race").race(work, settings, rounds, processes, pause=0, seed=seed)


def races(works: list, settings: list) -> list[dict]:
    """Who is out of each, with the same processes for all."""
    with closing(module("process").Processes()) as processes:
        return [module("race").race(work, settings, 1, processes, pause=0)["out"] for work in works]


def run(cheat: str, work=None) -> dict:
    """A race against nobody."""
    setting = module("settings").Setting("cheat", str(CHEATS / f"{cheat}.py"), ALONE, ours=True)
    return race(work or gemm(), [setting], ROUNDS, seed=0)


def gemm():
    return module("works").gemm(190, 250, 310)


def cold_relu():
    return module("works").activation("relu", 1 << 18)


def relu():
    return replace(cold_relu(), cold=False)


@pytest.mark.parametrize("work", [gemm, relu, cold_relu])
def test_who_is_honest_stays_in_the_race_and_races_against_himself(work) -> None:
    setting = module("settings").Setting("honest", str(CHEATS / "honest.py"), ALONE)
    found = race(work(), [setting], ROUNDS, seed=0)
    assert found["out"] == {}
    assert list(found["contestants"]) == ["honest", "honest again"]
    for contestant in found["contestants"].values():
        assert len(contestant["rounds"]) == ROUNDS
        assert all(len(r["times"]) > 1 for r in contestant["rounds"])


def test_calls_that_do_not_count_go_on_until_threads_have_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module("process"), "SETTLE", 0.2)
    works, setting = module("works"), module("settings").Setting("ours", "baregrad_tensors.py")
    # What has a state is replayed call by call, so there are as many as was said.
    step = works.step("mlp_step", (16, 784), works.MLP, 1, 4)
    with closing(module("process").Processes()) as processes:
        for work in (relu(), step):
            race = module("race").Race(work, processes, pause=0, seed=0)
            race.enter(setting)
            race.round(7, ["ours"])
            (timing,) = race.timings["ours"]
            assert len(timing.times) >= 7
            if work.state:
                assert len(timing.before) == len(timing.times) - 1
            else:
                assert 0.15e9 <= sum(timing.before) <= timing.whole - sum(timing.times)


def test_a_setting_that_is_hopeless_in_the_first_round_rests() -> None:
    setting = module("settings").Setting
    tuned = {"TUNED": "1"}
    settings = {
        "best": setting("best", "a.py", tuned),
        "near": setting("near", "b.py", tuned),
        "as installed": setting("as installed", "a.py"),  # of the best: stays to be compared with
        "hopeless": setting("hopeless", "a.py", {"TUNED": "2"}),
        "other": setting("other", "c.py"),
    }
    this = module("race").Race(gemm(), None, pause=0, seed=0)
    this.field = {name: SimpleNamespace(setting=setting) for name, setting in settings.items()}
    this.rest({"best": 1.0, "near": 1.5, "as installed": 4.0, "hopeless": 2.0, "other": 1.6})
    assert list(this.field) == ["best", "near", "as installed"]
    assert this.resting == {"hopeless": 2.0, "other": 1.6}


@pytest.mark.parametrize(
    ("cheat", "sentence"),
    [
        ("kept_result", r"output 0 of call \d+ is not that of its inputs: \d+ of 47500 outside"),
        ("not_a_number", r"output 0 of call \d+ is NaN in 190 of 47500 elements"),
        ("right_at_first", r"is not that of its inputs"),
        ("right_at_times", r"is not that of its inputs"),
        ("left_to_a_thread", r"returned before its work was done: \d+ of 256 places of output 0"),
        ("writes_its_input", r"wrote to its input a: \d+ of 58900 elements"),
        ("crashes", r"crashed with SIGSEGV"),
    ],
)
def test_a_cheat_is_put_out_with_a_sentence(cheat: str, sentence: str) -> None:
    out = run(cheat)["out"]
    assert list(out) == ["cheat"]
    assert re.search(sentence, out["cheat"])
    assert "\n" not in out["cheat"]


@pytest.mark.parametrize(
    ("cheat", "sentence"),
    [
        ("not_waited_for", r"reports \S+ ms of rounds that took \S+ ms: less than there were"),
        ("slow_clock", r"reports \S+ ms of rounds that took \S+ ms: less than there were"),
        ("fast_clock", r"reports \S+ ms of rounds that took \S+ ms: more than there were"),
        ("shifts_time", r"reports \S+ ms of rounds that took \S+ ms: less than there were"),
    ],
)
def test_who_plays_with_clocks_is_put_out(cheat: str, sentence: str) -> None:
    out = run(cheat, relu())["out"]
    assert list(out) == ["cheat"]
    assert re.search(sentence, out["cheat"])


@pytest.mark.parametrize("cheat", ["warm_input", "warm_output"])
def test_who_keeps_to_a_warm_array_is_put_out(cheat: str) -> None:
    out = run(cheat, cold_relu())["out"]
    assert list(out) == ["cheat"]
    assert re.search(r"output 0 of call \d+ is not that of its inputs", out["cheat"])


def test_who_hangs_is_put_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module("process"), "SECONDS", 3)
    assert run("hangs")["out"] == {"cheat": "said nothing for 3 s"}


def test_what_is_not_installed_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "missing.py").write_text("import no_such_package\n")
    setting = module("settings").Setting("missing", str(tmp_path / "missing.py"))
    found = race(gemm(), [setting], 1)
    assert found["out"] == {"missing": "ModuleNotFoundError: No module named 'no_such_package'"}


def test_a_time_below_what_the_machine_needs_is_refused_unless_the_spread_is_as_large() -> None:
    refusals = module("refusals")
    fast = [refusals.Timing([1000, 2000, 3000], 6000, [], 6000)] * 3
    assert refusals.ceiling(fast, [1e-6, 1.1e-6]) is None
    assert refusals.ceiling(fast, [2.1e-6, 2.4e-6]) is None
    assert refusals.ceiling(fast, [3e-6, 3.1e-6]) == (
        "took 2 us, and the machine needs 3 us for as much (spread 3%)"
    )
    work = module("works").gemm(100, 100, 100)
    assert refusals.least_seconds(work, (2.0, 1e6)) == pytest.approx(1e-3)
    assert refusals.least_seconds(work, (1e6, 0.1)) == pytest.approx(160_000 / 1.5 / 0.1 / 1e9)


def small_works() -> list:
    works = module("works")
    windows = works.Windows(3, 4, 9, 9, (3, 3), o=6, padding=(1, 1))
    strided = works.Windows(2, 3, 17, 17, (7, 7), o=8, stride=(2, 2), padding=(3, 3))
    found = [
        works.gemm(33, 17, 65),
        *(works.conv2d(w, both) for w in (windows, strided) for both in (False, True)),
        works.maxpool2d(8, 3, 10, 12),
        *(works.activation(kind, 300_000) for kind in ("relu", "sigmoid", "gelu", "tanh")),
        works.softmax_xent(33, 10),
        works.adam(4, 1000),
        works.step("mlp_step", (16, 784), works.MLP, 1, 4),
        works.step("cnn_step", (4, 1, 28, 28), works.CNN, 1, 2),
    ]
    return [replace(work, cold=False) for work in found]  # of arrays so small there would be many


FILES = ["baregrad_kernels", "baregrad_tensors", "numpy", "torch", "jax"]


@pytest.mark.parametrize("file", FILES)
def test_every_contestant_does_its_works_rightly(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = file.partition("_")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    settings = module("settings")
    entered = [settings.Setting("one", f"{file}.py")]
    if file == "torch":
        entered.append(settings.Setting("last", "torch.py", {"LAYOUT": "channels_last"}))
    monkeypatch.setattr(module("race"), "SECONDS", 0.01)
    done = 0
    for out in races(small_works(), entered):
        absent = {why for why in out.values() if why.startswith("does no ")}
        clocked = {why for why in out.values() if why.endswith("less than there were")}
        assert set(out.values()) == absent | clocked  # so short that a busy machine shows
        done += not absent
    assert done >= (1 if file == "numpy" else 2)


def test_only_taps_inside_the_image_are_flops() -> None:
    works = module("works")
    for size, kernel, stride, padding in ((5, 3, 1, 1), (7, 3, 2, 1), (9, 7, 2, 3), (4, 1, 1, 0)):
        windows = works.Windows(
            2,
            3,
            size,
            size,
            (kernel, kernel),
            o=4,
            stride=(stride, stride),
            padding=(padding, padding),
        )
        x, w = works.np.ones(windows.image, "f"), works.np.ones((4, 3, kernel, kernel), "f")
        taps = works.definitions.reference.conv2d_forward(
            x, w, **windows.options("stride", "padding")
        ).sum()
        assert works.conv2d(windows, both=False).flops == 2 * taps
        assert works.conv2d(windows, both=True).flops == 6 * taps


def made_up(*speeds: float) -> dict:
    """A race in which our kernel took 1, 2 and 3 ms and the yardstick so many times as long."""

    def contestant(file: str, factor: float) -> dict:
        rounds = [{"times": [int(t * 1e6 * factor)] * 3, "elapsed": 1} for t in (1, 2, 3)]
        about = {"version": "1"}
        return {"file": file, "environment": {}, "about": about, "rounds": rounds}

    named = {"kernel": contestant("baregrad_kernels.py", 1)}
    for name, speed in zip(("NumPy", "NumPy, SkylakeX"), speeds, strict=True):
        named[name] = contestant("numpy.py", speed)
    best = "NumPy" if speeds[0] < speeds[1] else "NumPy, SkylakeX"
    named[f"{best} again"] = contestant("numpy.py", min(speeds) * 1.01)
    return {
        "flops": 10**9, "bytes": 10**6, "least_seconds": 1e-3, "ceilings": [[500.0, 50.0]],
        "out": {"Tensor": "crashed with SIGSEGV", "JAX": "does no gemm"}, "above": {}, "resting": {},
        "contestants": named,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("speeds", "verdict"),
    [((3.0, 2.0), "faster"), ((1.0, 3.0), "equal"), ((0.9, 0.5), "slower")],
)
def test_the_best_setting_counts_beside_the_control(speeds, verdict: str) -> None:
    report = module("report")
    found = report.figures(made_up(*speeds))
    assert found.best == ("NumPy" if speeds[0] < speeds[1] else "NumPy, SkylakeX")
    assert found.ratio.value == pytest.approx(min(speeds))
    assert found.installed.value == pytest.approx(speeds[0])
    assert found.control.value == pytest.approx(1 / 1.01)
    assert found.share == pytest.approx(0.5)
    assert report.lost(made_up(*speeds)) == (verdict == "slower")


def test_winograd_has_a_column_and_is_never_what_the_ratio_is_of() -> None:
    report = module("report")
    race = made_up(3.0, 2.0)
    race["contestants"]["Winograd"] = race["contestants"]["kernel"]
    assert report.figures(race).winograd.value == pytest.approx(2.0)
    assert report.cells({"work": "conv", "races": [race]})[3] == "500 GFLOP/s, 2.00x"
    race["contestants"]["Winograd"] = race["contestants"]["NumPy"]
    found = report.figures(race)
    assert (found.best, found.ratio.value) == ("NumPy, SkylakeX", pytest.approx(2.0))
    race["out"] |= {"kernel": "wrong"}
    assert report.figures(race).ratio is None
    race["out"] = {"Winograd": "wrong"}
    assert report.figures(race).winograd is None
    assert report.cells({"work": "conv", "races": [race]})[3] == "refused"


@pytest.mark.parametrize(("small", "fewer"), [(True, True), (False, False)])
def test_who_multiplies_less_races_where_windows_are_small(small: bool, fewer: bool) -> None:
    race, works = module("race"), module("works")
    entered: list[str] = []

    class Asked(race.Race):
        def enter(self, setting: Any) -> None:
            entered.append(setting.name)

        def run(self, rounds: int) -> dict[str, Any]:
            return {}

    work = replace(works.TABLE[0], small_windows=small)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(race, "Race", Asked)
        race.race(work, race.OURS, 1, None)
    assert ("Winograd" in entered) == fewer
    small_ones = [work.name for work in works.TABLE if work.small_windows]
    assert len(small_ones) == 11
    assert all(name.startswith(("conv 3x3 ", "CNN")) for name in small_ones)


def test_a_lost_race_is_run_again_and_the_middle_one_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    race, speeds = module("race"), iter([(0.9, 0.5), (0.9, 0.7), (0.9, 0.6), (3.0, 2.0)])
    monkeypatch.setattr(race, "race", lambda *_: made_up(*next(speeds)))
    monkeypatch.setattr(race, "TABLE", [gemm(), relu()])
    monkeypatch.setattr(race.sys, "argv", ["race.py"])
    assert race.main() == 1  # for Tensor crashed
    first, second = capsys.readouterr().out.splitlines()[-4::2]
    assert "| 0.60x (0.60 to 0.60)   | 0.90x" in first
    assert "| slower (3 races) |" in first
    assert "| 2.00x (2.00 to 2.00)   | 3.00x" in second
    assert "refused" in first
    assert "JAX" not in first


def test_a_result_keeps_every_sample_and_is_the_table_of_the_readme(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = module("report")
    (tmp_path / "results").mkdir()
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.BEGIN}\n{report.END}\nafter\n")
    monkeypatch.setattr(report, "HERE", tmp_path)
    monkeypatch.setattr(report, "README", readme)
    assert report.latest() is None
    result = report.begin()
    result["works"] = [{"work": "gemm 8 x 8 x 8", "races": [made_up(3.0, 2.0)]}]
    report.save(result, "race")
    report.save(result, "sizes")
    assert report.latest() == json.loads(json.dumps(result))

    other = result | {"works": [{"work": "relu", "races": [made_up(1.0, 1.0)]}]}
    report.save(other, "race")  # of the same commit: both
    assert [work["work"] for work in report.latest()["works"]] == ["gemm 8 x 8 x 8", "relu"]
    report.save(other | {"commit": "another"}, "race")
    assert [work["work"] for work in report.latest()["works"]] == ["relu"]
    report.save(result, "race")
    between = readme.read_text().split(report.BEGIN)[1].split(report.END)[0]
    assert between.strip() == report.text(result)
    assert "numpy 1" in between
    assert readme.read_text().startswith("before\n")
    assert readme.read_text().endswith("after\n")
    pytest.importorskip("matplotlib")
    plots = module("plots")
    monkeypatch.setattr(plots, "HERE", tmp_path)
    plots.plot()
    for name in ("roofline.svg", "sizes.svg"):
        assert (tmp_path / name).read_text().startswith("<?xml")


def test_the_table_of_the_readme_is_the_one_that_was_measured() -> None:
    report = module("report")
    between = report.README.read_text().split(report.BEGIN)[1].split(report.END)[0]
    assert between.strip() == report.text(report.latest())


def test_a_call_that_takes_longer_than_there_is_time_for_is_timed_once() -> None:
    calls: list[float] = []

    def slow() -> None:
        calls.append(time.perf_counter())
        time.sleep(0.05)

    assert racing.median_time(slow, 0.01) >= 0.05
    assert len(calls) == 2  # the first does not count
