"""A map of the test set: each sequence a point, near the sequences with similar embeddings."""

from __future__ import annotations

from html import escape

import numpy as np
import torch

from gaitway.evaluation import EmbeddingSet, Protocol, pairwise_distance
from gaitway.report.charts import NUM_COLOURS, Label, Point, map_chart, marker
from gaitway.report.tsne import tsne

MOST_POINTS = 1000


def embedding_map(embeddings: EmbeddingSet, protocol: Protocol, *, distance: str = "euclidean") -> str:
    """The map with its legend, as HTML: subjects by colour, probe sets and gallery by marker.

    Args:
        embeddings: Of the test set; of more than `MOST_POINTS` sequences of the protocol a fixed choice is shown.
        protocol: Says which sequences are gallery and which are probes.
        distance: `euclidean` or `cosine`.
    """
    kinds = ["gallery", *protocol.probes]
    kind = np.full(len(embeddings), -1)
    galleries, sets = protocol.select(embeddings.subjects, embeddings.conditions, embeddings.views)
    for gallery in galleries.values():
        kind[gallery] = 0
    for number, probes in enumerate(sets.values(), 1):
        kind[probes] = number
    rows = np.flatnonzero(kind >= 0)
    if len(rows) > MOST_POINTS:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:MOST_POINTS])
    vectors = embeddings.embeddings[torch.from_numpy(rows)]
    distances = pairwise_distance(vectors, vectors, distance)
    places = tsne((distances + distances.T) / 2).numpy()

    subjects = np.array(embeddings.subjects)[rows]
    names = np.unique(subjects)
    shown = names[np.linspace(0, len(names) - 1, min(NUM_COLOURS, len(names))).round().astype(np.int64)]
    looks = {str(name): look for look, name in enumerate(shown)}
    points = [
        Point(
            x=float(x),
            y=float(y),
            title=f"{embeddings.names[row]} ({kinds[kind[row]]})",
            look=looks.get(embeddings.subjects[row]),
            marker=int(kind[row]) - 1 if kind[row] else len(protocol.probes),
            filled=kind[row] == 0,
        )
        for row, (x, y) in zip(rows, places, strict=True)
    ]
    labels = [
        Label(float(x), float(y), name, look)
        for name, look in looks.items()
        for x, y in [np.median(places[subjects == name], axis=0)]
    ]
    description = (
        f"Map of {len(rows)} test sequences of {len(names)} subjects, {len(looks)} of which are coloured: "
        f"{', '.join(looks)}. Sequences with similar embeddings lie close together."
    )
    legend = [f"<span>{marker(len(protocol.probes), filled=True)}gallery</span>"]
    legend += [f"<span>{marker(i, filled=False)}probe {escape(name)}</span>" for i, name in enumerate(protocol.probes)]
    legend += [
        f'<span class="series-{look}"><i class="swatch"></i>{escape(name)}</span>' for name, look in looks.items()
    ]
    return map_chart(points, labels, description=description) + f'<p class="legend">{"".join(legend)}</p>'
