from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gaitway.models.sposgait import SPOSGait
from gaitway.nas.recalibration import norms_on_path, recalibrated

PATH, OTHER = (0, 5, 2, 4), (0, 1, 2, 3)


@pytest.fixture
def supernet() -> SPOSGait:
    torch.manual_seed(0)
    model = SPOSGait(num_classes=3, channels=(2, 3, 4), embedding_dim=5)
    for buffer in model.buffers():
        if buffer.is_floating_point() and buffer.ndim == 1:
            buffer.uniform_(0.5, 1.5)  # as if it had been trained
    return model.eval()


@pytest.fixture
def batches() -> list[tuple[Tensor, Tensor | None]]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.rand(2, 3, 64, 8, generator=generator), None) for _ in range(3)]


def embed(model: SPOSGait, frames: Tensor) -> Tensor:
    with torch.no_grad():
        embeddings: Tensor = model(frames, path=PATH).embeddings
    return embeddings


def test_statistics_are_the_means_over_batches(supernet: SPOSGait, batches: list[tuple[Tensor, Tensor | None]]) -> None:
    first = supernet.block("00", 0)
    convolved = torch.stack([first.convolutions[0](frames[:, None]).detach() for frames, _ in batches])
    with recalibrated(supernet, PATH, batches):
        mean, var = first.norms[0].running_mean, first.norms[0].running_var
        torch.testing.assert_close(mean, convolved.mean((1, 3, 4, 5)).mean(0))
        torch.testing.assert_close(var, convolved.transpose(1, 2).flatten(2).var(2).mean(0))
        assert not any(layer.training for layer in supernet.modules())


def test_a_path_alone_trains_to_the_same(supernet: SPOSGait, batches: list[tuple[Tensor, Tensor | None]]) -> None:
    """A network of the path whose batch norms are reset, and which sees the batches in training mode."""
    alone = SPOSGait(num_classes=3, channels=(2, 3, 4), embedding_dim=5, architecture=PATH)
    alone.load_state_dict({name: supernet.state_dict()[name] for name in alone.state_dict()})
    for norm in norms_on_path(alone, PATH):
        norm.reset_running_stats()
        norm.momentum = None
    alone.train()
    with torch.no_grad():
        for frames, _ in batches:
            alone(frames)
    alone.eval()
    test = batches[0][0] * 0.5
    with recalibrated(supernet, PATH, batches):
        found = embed(supernet, test)
    torch.testing.assert_close(found, embed(alone, test))
    assert not torch.allclose(found, embed(supernet, test))


def test_afterwards_all_is_as_before(supernet: SPOSGait, batches: list[tuple[Tensor, Tensor | None]]) -> None:
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    momenta = [norm.momentum for norm in norms_on_path(supernet, PATH)]
    with recalibrated(supernet, PATH, batches):
        changed = [name for name, value in supernet.state_dict().items() if not torch.equal(value, before[name])]
        once = embed(supernet, batches[0][0])
    on_path = ("blocks.00/0", "blocks.20/5", "blocks.30/2", "blocks.40/4", "shortcuts")
    assert changed
    assert all(name.startswith(on_path) for name in changed)
    assert {name.rpartition(".")[2] for name in changed} == {"running_mean", "running_var", "num_batches_tracked"}

    with recalibrated(supernet, OTHER, batches[:1]):
        pass
    for name, value in supernet.state_dict().items():
        assert torch.equal(value, before[name])
    assert [norm.momentum for norm in norms_on_path(supernet, PATH)] == momenta
    with recalibrated(supernet, PATH, batches):
        assert torch.equal(embed(supernet, batches[0][0]), once)


def test_an_error_leaves_it_as_before_too(supernet: SPOSGait) -> None:
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    with pytest.raises(ValueError, match="no batches"), recalibrated(supernet, PATH, []):
        pass
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
    assert not any(layer.training for layer in supernet.modules())
