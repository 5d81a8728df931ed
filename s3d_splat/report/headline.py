"""The headline numbers: what they are called, what they mean, and why one could not be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from s3d_splat.report.collect import Findings

NO_TEST_VIEWS = "needs test views"
NO_IMAGE_TRUTH = "needs labels of the test views: SCENE/truth, or masks with consistent ids"
NO_POINT_TRUTH = "needs labelled points: SCENE/truth/points.npz"
NO_POSE_TRUTH = "needs true cameras: SCENE/truth/transforms.json"
NO_TRUTH = "needs labelled points or labels of the test views"
NOT_RECORDED = "was not recorded"


@dataclass(frozen=True)
class Number:
    """One measured value of metrics.json: its key, its name, how to write it, and what it takes to measure it."""

    key: str
    name: str
    form: str
    unit: str
    needs: str


@dataclass(frozen=True)
class Group:
    """Numbers that belong together: the first is the headline, a sentence says how to read them."""

    title: str
    numbers: tuple[Number, ...]
    meaning: str


GROUPS = (
    Group(
        "Images",
        (Number("psnr", "PSNR", ".2f", "dB", NO_TEST_VIEWS), Number("ssim", "SSIM", ".3f", "", NO_TEST_VIEWS)),
        "Rendered test views against their photographs, which training never saw. Higher is closer.",
    ),
    Group(
        "Panoptic quality",
        (
            Number("pq", "scene PQ", ".3f", "", NO_IMAGE_TRUTH),
            Number("pq_strict", "strict PQ", ".3f", "", NO_IMAGE_TRUTH),
            Number("pq_th", "PQ of things", ".3f", "", NO_IMAGE_TRUTH + "; and things among them"),
            Number("pq_st", "PQ of stuff", ".3f", "", NO_IMAGE_TRUTH + "; and stuff among them"),
            Number("semantic_miou", "class mIoU", ".3f", "", NO_IMAGE_TRUTH),
        ),
        "Segments must keep their class and identity through all test views. PQ forgives objects that are left unlabelled;"
        " strict PQ counts them as missed, so a gap between the two means unlabelled objects.",
    ),
    Group(
        "Objects in 3D",
        (
            Number("ap50", "AP50", ".3f", "", NO_POINT_TRUTH),
            Number("ap", "AP", ".3f", "", NO_POINT_TRUTH),
            Number("ap25", "AP25", ".3f", "", NO_POINT_TRUTH),
            Number("precision50", "precision at .5", ".3f", "", NO_POINT_TRUTH + "; and predictions"),
            Number("objects_predicted", "objects predicted", ".0f", "", NOT_RECORDED),
            Number("objects_true", "objects true", ".0f", "", NO_TRUTH),
        ),
        "Objects of any class against the labelled points: found ones raise AP, missed and surplus ones lower it. Precision"
        " is the share of predictions that match a true object.",
    ),
    Group(
        "Best overlap",
        (
            Number("miou", "best-overlap mIoU", ".3f", "", NO_POINT_TRUTH),
            Number("m50", "share above .5", ".3f", "", NO_POINT_TRUTH),
            Number("m25", "share above .25", ".3f", "", NO_POINT_TRUTH),
        ),
        "Every true object takes the prediction that overlaps it most. This hides over-segmentation: surplus predictions"
        " cost nothing and one prediction may serve several objects. Read it together with precision.",
    ),
    Group(
        "Cameras",
        (
            Number("auc30", "AUC at 30°", ".3f", "", NO_POSE_TRUTH + " with at least two"),
            Number("auc10", "AUC at 10°", ".3f", "", NO_POSE_TRUTH + " with at least two"),
            Number("auc5", "AUC at 5°", ".3f", "", NO_POSE_TRUTH + " with at least two"),
            Number("ate", "trajectory error", ".3f", "m", NO_POSE_TRUTH),
        ),
        "The scene's cameras, pair by pair, against the true ones: 1 is perfect, and a camera that is missing counts as"
        " wrong. The trajectory error is what remains after the best fit of the whole path to the true one.",
    ),
    Group(
        "Cost",
        (
            Number("train_seconds", "training", ".0f", "s", NOT_RECORDED),
            Number("peak_memory_mb", "peak memory", ".0f", "MB", NOT_RECORDED),
            Number("fps", "rendering speed", ".1f", "views/s", NOT_RECORDED),
        ),
        "On the machine that made the run. Training time leaves out reading, aggregation and evaluation.",
    ),
)


def headline_html(findings: Findings) -> str:
    """A card for each group: its first number large, the others in a list, the meaning below."""
    return f'<div class="cards">{"".join(_card(group, findings) for group in GROUPS)}</div>'


def summary_sentence(findings: Findings) -> str:
    """The run in one sentence, of what was measured (plain text)."""
    parts = []
    psnr, pq = findings.metric("psnr"), findings.metric("pq")
    if psnr is not None:
        parts.append(f"test views are rendered with {psnr:.2f} dB")
    if pq is not None:
        parts.append(f"scene panoptic quality is {pq:.3f}")
    if findings.objects:
        found = sum(entry.matched_id != 0 for entry in findings.objects)
        parts.append(f"{found} of {len(findings.objects)} true objects are found")
        extra = len(findings.surplus)
        parts.append("1 prediction matches none" if extra == 1 else f"{extra} predictions match none")
    if not parts:
        return "Nothing was measured."
    sentence = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1] + "."
    return sentence[0].upper() + sentence[1:]


def masked(findings: Findings) -> list[str]:
    """How much of the test views the figures leave out, in one line; none where nothing is masked."""
    share = findings.metric("masked_share")
    return [f"Masked: {share:.1%} of the pixels of the test views, in no figure of images or labels."] if share else []


def unmeasured(findings: Findings) -> list[str]:
    """One line for every reason for which headline numbers have no value; none where nothing was evaluated at all."""
    if not findings.metrics:
        return []
    reasons: dict[str, list[str]] = {}
    for number in (number for group in GROUPS for number in group.numbers):
        if findings.metric(number.key) is None:
            reasons.setdefault(_reason(number, findings), []).append(number.name)
    return [f"Not measured: {_listed(names)} ({needs})." for needs, names in reasons.items()]


def _card(group: Group, findings: Findings) -> str:
    first, *others = group.numbers
    value = findings.metric(first.key)
    large = f'<p class="large{" none" if value is None else ""}">{_value(first, findings)}</p>'
    rows = "".join(f"<div><dt>{number.name}</dt><dd>{_value(number, findings)}</dd></div>" for number in others)
    return (
        f'<section class="card"><h3>{group.title}</h3>{large}<p class="key">{first.name}</p>'
        f'<dl>{rows}</dl><p class="meaning">{group.meaning}</p></section>'
    )


def _value(number: Number, findings: Findings) -> str:
    value = findings.metric(number.key)
    if value is None:
        return f'<span class="none" title="{escape(_reason(number, findings))}">not measured</span>'
    unit = f' <span class="unit">{number.unit}</span>' if number.unit else ""
    return f"{value:,{number.form}}{unit}"


def _reason(number: Number, findings: Findings) -> str:
    """Why a number has no value."""
    remark = findings.metrics.get("points_remark")
    return remark if isinstance(remark, str) and number.needs.startswith(NO_POINT_TRUTH) else number.needs


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
