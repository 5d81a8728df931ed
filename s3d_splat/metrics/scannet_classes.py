"""Which classes the ScanNet benchmarks compare, as NYU40 ids.

Sources: the ScanNet benchmark (A. Dai et al., CVPR 2017; `scannetv2-labels.combined.tsv` names the ids);
the text-query protocol of OpenGaussian (Y. Wu et al., NeurIPS 2024), which InstanceGaussian follows: 19 classes, 15 without
picture, refrigerator, shower curtain and bathtub, 10 without cabinet, counter, desk, curtain and sink as well.
"""

from __future__ import annotations

# The 18 classes of the instance benchmark: the 20 of the semantic one without wall and floor.
INSTANCE_CLASSES = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)

NAMES = {
    1: "wall",
    2: "floor",
    3: "cabinet",
    4: "bed",
    5: "chair",
    6: "sofa",
    7: "table",
    8: "door",
    9: "window",
    10: "bookshelf",
    11: "picture",
    12: "counter",
    14: "desk",
    16: "curtain",
    24: "refrigerator",
    28: "shower curtain",
    33: "toilet",
    34: "sink",
    36: "bathtub",
    39: "other furniture",
}

TEXT_QUERY_CLASSES = {
    19: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36),
    15: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 33, 34),
    10: (1, 2, 4, 5, 6, 7, 8, 9, 10, 33),
}
