"""What is SPOSGait's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gaitway.models import SPOSGait, create_model
from gaitway.models.sposgait import check_architecture, path_of_step
from gaitway.nas.costs import CostModel
from gaitway.nas.weights import path_weights

SMALL: dict[str, Any] = {"num_classes": 3, "variant": "small", "channels": (2, 3, 4), "embedding_dim": 4}
SPACES: dict[str, dict[str, Any]] = {
    "small": SMALL,
    "medium": SMALL | {"variant": "medium", "channels": (2, 3, 4, 5), "bins": (16, 8, 4, 2, 1)},
    "large": SMALL | {"variant": "large", "channels": (2, 3, 3, 5)},
}
PATHS: dict[str, list[list[int]]] = {
    "small": [[0, 5, 5, 4], [0, 1, 2, 3], [0, 0, 3, 0]],
    "medium": [[0, 0, 4, 3, 0, 3, 0], [0, 0, 1, 5, 2, 4, 5]],
    "large": [[0, 0, 4, 5, 2, 0, 4, 3, 4, 3], [0, 0, 3, 0, 5, 4, 4, 1, 3, 2]],
}


@pytest.mark.parametrize(
    ("variant", "num_classes", "embedding", "training", "num_parts", "width"),
    [
        ("sposgait_small_casiab", 74, 3.520, 3.831, 16, 256),
        ("sposgait_small_grew", 500, 3.213, 5.269, 16, 256),
        ("sposgait_small_grew", 20000, 3.213, 85.141, 16, 256),
        ("sposgait_medium_grew", 5000, 20.748, 100.139, 31, 512),
        ("sposgait_large_grew", 20000, 28.913, 346.384, 31, 512),
        ("sposgait_large_grew_two_losses", 20000, 26.602, 344.074, 31, 512),
        ("sposgait_large_oumvlp", 5153, 22.883, 43.998, 16, 256),
        ("sposgait_large_gait3d", 3000, 24.972, 37.268, 16, 256),
    ],
)
def test_sizes_are_those_of_the_published_networks(
    variant: str, num_classes: int, embedding: float, training: float, num_parts: int, width: int
) -> None:
    with torch.device("meta"):
        model = create_model(variant, num_classes=num_classes)
        assert isinstance(model, SPOSGait)
        assert model.neck is not None
        total = sum(parameter.numel() for parameter in model.parameters())
        assert total / 1e6 == pytest.approx(training, abs=5e-4)
        without = total - sum(parameter.numel() for parameter in model.neck.parameters())
        assert without / 1e6 == pytest.approx(embedding, abs=5e-4)
        assert model.eval()(torch.empty(2, 4, 64, 44)).embeddings.shape == (2, num_parts, width)


@pytest.mark.parametrize(
    ("variant", "channels", "num_classes", "millions"),
    [
        ("small", (64, 128, 256), None, 12.306),
        ("small", (96, 192, 256), 74, 15.112),
        ("medium", (64, 128, 256, 512), None, 55.685),
        ("large", (64, 128, 256, 512), None, 110.562),
        ("large", (64, 128, 256, 512), 20000, 428.034),
    ],
)
def test_sizes_of_published_supernets(
    variant: Any, channels: tuple[int, ...], num_classes: int | None, millions: float
) -> None:
    """They hold six blocks in layers of one choice too, which are not built here."""
    pyramid: dict[str, Any] = {} if variant == "small" else {"bins": (16, 8, 4, 2, 1), "embedding_dim": 512}
    costs = CostModel(variant=variant, channels=channels, num_classes=num_classes, **pyramid)
    assert costs.supernet_parameters() / 1e6 == pytest.approx(millions, abs=5e-4)
    with torch.device("meta"):
        model = SPOSGait(
            num_classes=num_classes or 1, variant=variant, channels=channels, bn_neck=num_classes is not None, **pyramid
        )
    unused = sum(
        costs.of_block(layer, kind).parameters for layer in costs.layers for kind in range(layer.num_choices, 6)
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == costs.supernet_parameters() - unused


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_a_path_of_the_supernet_is_the_network_built_of_that_path_alone(space: str, training: bool) -> None:
    torch.manual_seed(0)
    supernet = SPOSGait(**SPACES[space])
    for buffer in supernet.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    silhouettes = torch.rand(3, 5, 64, 12)
    for path in PATHS[space]:
        network = SPOSGait(**SPACES[space], architecture=path)
        network.load_state_dict(path_weights(supernet.state_dict(), path))
        assert not network.is_supernet
        output = supernet.train(training)(silhouettes, path=path, logits=True)
        alone = network.train(training)(silhouettes, logits=True)
        assert torch.equal(output.embeddings, alone.embeddings)
        assert torch.equal(output.logits, alone.logits)


@pytest.mark.parametrize("space", SPACES)
def test_unequal_lengths_are_exact_on_every_path(space: str) -> None:
    torch.manual_seed(1)
    supernet = SPOSGait(**SPACES[space]).eval()
    lengths = [7, 1, 3, 2, 5, 6]
    silhouettes = torch.rand(sum(lengths), 64, 12)
    for path in PATHS[space]:
        with torch.no_grad():
            together = supernet(silhouettes, torch.tensor(lengths), path=path).embeddings
            for i, sequence in enumerate(torch.split(silhouettes, lengths)):
                alone = supernet(sequence[None], path=path).embeddings[0]
                torch.testing.assert_close(together[i], alone, rtol=1e-4, atol=1e-6)


def test_short_sequences_are_repeated_and_frames_beyond_threes_left_out() -> None:
    torch.manual_seed(2)
    model = SPOSGait(**SMALL, architecture=(0, 3, 1, 5)).eval()
    frames = torch.rand(1, 2, 64, 12)
    with torch.no_grad():
        twice, once = model(frames).embeddings, model(frames[:, :1]).embeddings
        torch.testing.assert_close(twice, model(frames.repeat(1, 2, 1, 1)).embeddings)
        torch.testing.assert_close(once, model(frames[:, :1].repeat(1, 3, 1, 1)).embeddings)


def test_a_step_changes_the_path_of_a_supernet_only() -> None:
    supernet, network = SPOSGait(**SMALL), SPOSGait(**SMALL, architecture=(0, 5, 5, 4))
    paths = []
    for step in range(6):
        supernet.begin_step(step)
        network.begin_step(step)
        assert supernet.path == path_of_step(step, [1, 6, 6, 6])
        paths.append(supernet.path)
    assert len(set(paths)) > 3
    assert network.path == (0, 5, 5, 4)


def test_a_supernet_without_a_path_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"no embeddings of its own, .*`gaitway nas search RUN`.*list of 4 block numb"):
        SPOSGait(**SMALL).eval()(torch.rand(1, 3, 64, 12))


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ((0, 5, 5), r"\[0, 5, 5\] has 3 entries, the search space 4 layers"),
        ((0, 5, 5, 6), r"has block 6 in layer 3 \(from 0\), which has blocks 0 to 5"),
        ((0, -1, 5, 5), r"has block -1 in layer 1 \(from 0\), which has blocks 0 to 5"),
        ((1, 5, 5, 4), r"has block 1 in layer 0 \(from 0\), which has only block 0"),
    ],
)
def test_architectures_that_are_none(architecture: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SPOSGait(**SMALL, architecture=architecture)
    with pytest.raises(ValueError, match=message):
        SPOSGait(**SMALL)(torch.rand(1, 3, 64, 12), path=architecture)
    with pytest.raises(ValueError, match=message):
        check_architecture(architecture, [1, 6, 6, 6])


@pytest.mark.parametrize(("variant", "channels"), [("small", (2, 3, 4, 5)), ("large", (2, 3, 4)), ("tiny", (2, 3, 4))])
def test_spaces_that_are_none(variant: Any, channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected small with 3, or medium or large with 4"):
        SPOSGait(num_classes=3, variant=variant, channels=channels)
