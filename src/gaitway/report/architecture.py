"""An architecture as a drawing: its stages from left to right, each layer with the convolutions of its block."""

from __future__ import annotations

from collections.abc import Sequence

from gaitway.report.search_contents import DrawnLayer

LAYER, GAP, STAGE_GAP, CONVOLUTION = 108, 12, 30, 34  # pixels
TOP, SHORTCUT = 64, 30
AFTER = {0: "½ size", 2: "½ size"}
"""What follows a stage, besides the adding of its shortcut."""


def architecture_drawing(layers: Sequence[DrawnLayer], *, small: bool) -> str:
    """Draw an architecture as SVG.

    Args:
        layers: In their order.
        small: Whether frames are joined in threes after stage 0 (the small space) or after stage 1.

    Shapes: a box per layer, in it a bar per convolution; a frame per stage with its shortcut as an arc above.
    """
    stages = sorted({layer.stage for layer in layers})
    tallest = max(len(layer.kernels) for layer in layers)
    height = TOP + 30 + tallest * CONVOLUTION + 46
    parts: list[str] = []
    x = 92.0
    parts.append(_text(4, TOP + 50, "silhouettes", "small") + _arrow(4, x, TOP + 58))
    for stage in stages:
        inside = [layer for layer in layers if layer.stage == stage]
        width = len(inside) * (LAYER + GAP) - GAP
        left, right = x, x + width
        parts.append(
            f'<path class="shortcut" d="M{left - 10} {TOP + 58}V{TOP - 4}Q{left - 10} {TOP - 16} {left + 4} {TOP - 16}'
            f'H{right - 4}Q{right + 10} {TOP - 16} {right + 10} {TOP - 4}V{TOP + 58}"/>'
        )
        parts.append(_text((left + right) / 2, TOP - 22, f"stage {stage}", "title middle"))
        for layer in inside:
            parts.append(_layer(layer, x, tallest))
            x += LAYER + GAP
        x += STAGE_GAP - GAP
        after = [AFTER[stage]] if stage in AFTER else []
        after += ["3 frames → 1"] if stage == (0 if small else 1) else []
        widths = f"{inside[0].in_channels} → {inside[-1].out_channels} channels"
        parts.append(_text((left + right) / 2, height - 22, widths, "small middle"))
        parts.append(_text((left + right) / 2, height - 6, ", ".join(after), "small middle") if after else "")
        parts.append(_arrow(right, x, TOP + 58))
    parts.append(_text(x + 4, TOP + 62, "strips, embedding", "small"))
    blocks = ", ".join(str(layer.block) for layer in layers)
    return (
        f'<svg class="architecture" viewBox="0 0 {x + 108:g} {height:g}" style="max-width:{x + 108:g}px" role="img" '
        f'aria-label="architecture {blocks}">{"".join(parts)}</svg>'
    )


def _layer(layer: DrawnLayer, x: float, tallest: int) -> str:
    kind = "free" if layer.free else "fixed"
    parts = [
        f'<rect class="layer {kind}" x="{x:g}" y="{TOP}" width="{LAYER}" '
        f'height="{26 + tallest * CONVOLUTION}" rx="6"/>',
        _text(x + LAYER / 2, TOP + 17, f"block {layer.block}" if layer.free else "no choice", "small middle"),
    ]
    offset = (tallest - len(layer.kernels)) * CONVOLUTION / 2
    for place, kernel in enumerate(layer.kernels):
        y = TOP + 24 + offset + place * CONVOLUTION
        last = place + 1 == len(layer.kernels)
        text = "×".join(map(str, kernel)) + (" ReLU" if layer.rectified or not last else "")
        parts.append(
            f'<rect class="series-{layer.block % 6} convolution" x="{x + 7:g}" y="{y:g}" width="{LAYER - 14}" '
            f'height="{CONVOLUTION - 6}" rx="4"/>{_text(x + LAYER / 2, y + 18, text, "kernel middle")}'
        )
    return "".join(parts)


def _text(x: float, y: float, text: str, css: str) -> str:
    return f'<text class="{css}" x="{x:g}" y="{y:g}">{text}</text>'


def _arrow(start: float, end: float, y: float) -> str:
    return f'<path class="flow" d="M{start:g} {y}H{end:g}"/>'
