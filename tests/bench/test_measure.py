from __future__ import annotations

import time

import pytest
import torch

from gaitway.bench.measure import PeakMemory, Times, compare, in_turns, machine

CPU = torch.device("cpu")


def test_variants_run_in_turns_after_one_round_that_does_not_count() -> None:
    ran: list[str] = []
    progress: list[tuple[int, int]] = []
    variants = {"a": lambda: ran.append("a"), "b": lambda: ran.append("b")}
    times = in_turns(variants, repeats=2, device=CPU, done=lambda *done: progress.append(done))
    assert ran == ["a", "b"] * 3
    assert [(len(found.seconds), len(found.cpu_seconds)) for found in times.values()] == [(2, 2), (2, 2)]
    assert progress == [(i, 6) for i in range(1, 7)]


def test_seconds_are_those_of_the_variant() -> None:
    slept = in_turns({"sleep": lambda: time.sleep(0.1)}, repeats=2, device=CPU)["sleep"]
    assert all(0.1 <= seconds < 2 for seconds in slept.seconds)
    assert max(slept.cpu_seconds) < 0.05


def test_speedup_is_the_median_of_the_ratios_of_each_turn() -> None:
    times = {"slow": Times([2.0, 30.0, 8.0], [2.0, 2.0, 2.0]), "fast": Times([1.0, 1.0, 2.0], [1.0, 4.0, 1.0])}
    assert compare(times, "slow")["fast"] == {"seconds": 1, "cpu_seconds": 1, "speedup": 4, "cpu_speedup": 2}
    assert compare(times, "slow")["slow"]["speedup"] == 1


def test_peak_memory_sees_memory_that_is_gone_again_and_forgets_earlier_peaks() -> None:
    with PeakMemory(CPU) as empty:
        pass
    with PeakMemory(CPU) as high:
        torch.ones(2**26).sum()  # 256 MB
    with PeakMemory(CPU) as low:
        pass
    assert high.bytes - empty.bytes == pytest.approx(2**28, rel=0.2)
    assert low.bytes < high.bytes - 2**27


def test_machine_says_what_figures_must_be_read_with() -> None:
    found = machine(CPU)
    assert found["device"] == "CPU"
    assert found["threads"] == torch.get_num_threads()
    assert found["torch"] == torch.__version__
    assert found["processor"]
