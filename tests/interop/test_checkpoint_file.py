from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.optim.lr_scheduler import OneCycleLR

from gaitway.interop import read_checkpoint
from tests.interop.files import gaitset_state, save


class Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_the_model_of_a_published_file(tmp_path: Path) -> None:
    state = gaitset_state()
    found = read_checkpoint(save(tmp_path / "GaitSet-40000.pt", state))
    assert found.iteration == 40000
    assert list(found.state) == list(state)
    assert all(torch.equal(found.state[name], state[name]) for name in state)


def test_bare_and_wrapped_state_dicts(tmp_path: Path) -> None:
    state = gaitset_state()
    torch.save(state, tmp_path / "bare.pt")
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    for path in (tmp_path / "bare.pt", save(tmp_path / "wrapped.pt", wrapped)):
        assert read_checkpoint(path).state.keys() == state.keys()
    assert read_checkpoint(tmp_path / "bare.pt").iteration == 0


def test_a_prefix_of_some_tensors_stays(tmp_path: Path) -> None:
    state = {"module.weight": torch.zeros(1), "bias": torch.zeros(1)}
    assert read_checkpoint(save(tmp_path / "x.pt", state)).state.keys() == state.keys()


def test_safetensors(tmp_path: Path) -> None:
    state = gaitset_state()
    save_file(state, tmp_path / "x.safetensors")
    assert read_checkpoint(tmp_path / "x.safetensors").state.keys() == state.keys()


def test_the_legacy_file_format(tmp_path: Path) -> None:
    state = gaitset_state()
    torch.save({"model": state}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / "old.pt").state.keys() == state.keys()


@pytest.mark.parametrize("zipped", [True, False])
def test_schedules_of_old_pytorch_hold_functions_that_are_ignored(tmp_path: Path, zipped: bool) -> None:
    state = gaitset_state()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9)
    schedule = OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    old = {**schedule.state_dict(), "anneal_func": OneCycleLR._annealing_cos, "optimizer": optimizer}
    path = tmp_path / "old.pt"
    torch.save({"model": state, "scheduler": old}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    found = read_checkpoint(path).state
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("place", ["model", "optimizer", "scheduler"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path, place: str, zipped: bool) -> None:
    marker, path = tmp_path / "it ran", tmp_path / "attack.pt"
    content = {"model": gaitset_state(), place: {"x": Attack(marker)}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"asks for .*Path.*nothing was run") as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    assert not marker.exists()
    torch.load(path, weights_only=False)  # the attack is a real one
    assert marker.exists()


def test_a_plain_pickle_that_would_run_code(tmp_path: Path) -> None:
    marker, path = tmp_path / "it ran", tmp_path / "attack.pt"
    path.write_bytes(pickle.dumps(Attack(marker)))
    with pytest.raises(ValueError, match="attack.pt"):
        read_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_truncated(tmp_path: Path, share: float) -> None:
    whole = save(tmp_path / "whole.pt", gaitset_state()).read_bytes()
    (tmp_path / "part.pt").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="truncated.*download it again"):
        read_checkpoint(tmp_path / "part.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n<!DOCTYPE html><html>Quota exceeded</html>", "web page"),
        (b"model_cfg: {model: GaitSet}\n", "damaged or no checkpoint"),
        (bytes(range(256)) * 9, "damaged or no checkpoint"),
    ],
)
def test_what_is_no_checkpoint(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_checkpoint(tmp_path / "x.pt")


def test_damaged_safetensors(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"12345678901234567890")
    with pytest.raises(ValueError, match="damaged"):
        read_checkpoint(tmp_path / "x.safetensors")


def test_an_archive_of_checkpoints_names_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "hub.zip", "w") as archive:
        archive.writestr("CASIA-B/GaitSet/GaitSet/checkpoints/GaitSet-40000.pt", b"...")
    with pytest.raises(ValueError, match=r"unpack it and give one of .*GaitSet-40000\.pt"):
        read_checkpoint(tmp_path / "hub.zip")


def test_a_file_without_weights_says_what_it_holds(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "loss": 0.5}, tmp_path / "x.pt")
    with pytest.raises(ValueError, match="a dict of epoch, loss, not weights"):
        read_checkpoint(tmp_path / "x.pt")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a file; give"):
        read_checkpoint(tmp_path / "x.pt")
