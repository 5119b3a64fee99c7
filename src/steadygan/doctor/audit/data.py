"""Mistakes in the images, and in how they reach the networks."""

from __future__ import annotations

from functools import partial

from steadygan.doctor.audit.plan import AuditRule, Remarked, RunPlan, always

_CHECKS = {
    "grey": "Grey images among coloured ones",
    "coloured": "Coloured images among grey ones",
    "blank": "Blank images",
    "blurred": "Blurred images",
    "enlarged": "Images smaller than they are asked to be",
    "detail": "Images with fewer details than pixels",
    "dark": "Images that are nearly black",
    "exact-duplicates": "The same images several times",
    "near-duplicates": "Nearly the same images several times",
    "mirrored": "Images and their mirror images",
    "classes": "Classes with hardly an image",
    "thin-classes": "Classes of few images each",
    "labels": "Labels that contradict each other",
}
"""What `inspect` looks for that is a mistake, and not only a place to look at."""

_MISTAKE = {"grey": "Fake satellite images, mistake 7", "coloured": "Fake satellite images, mistake 7"}


def _remark(plan: RunPlan, check: str) -> Remarked | None:
    found = plan.data.remarks.get(check) if plan.data else None
    return found if found and found.severity != "info" else None


def _says(plan: RunPlan, check: str) -> str | None:
    found = _remark(plan, check)
    return found.sentence if found else None


def _way(plan: RunPlan, check: str) -> list[str]:
    found = _remark(plan, check)
    return [found.remedy] if found else []


def _few(plan: RunPlan) -> str | None:
    if not plan.data or not plan.draws or plan.data.training >= 100 or plan.data.size == 1:
        return None
    return f"{plan.data.training:,} images to train on; hundreds are few, thousands are usual"


def _unusable(plan: RunPlan) -> str | None:
    bad = plan.data.unusable if plan.data else 0
    total = bad + plan.training + (plan.data.held_out or 0 if plan.data else 0)
    return f"{bad:,} of {total:,} files cannot be used" if bad > 0.05 * total else None


def _batch(plan: RunPlan) -> str | None:
    batch, few = plan.setting("batch", 0), plan.training
    return f"a batch of {batch} from {few:,} images" if few and batch * 2 > few else None


def _unscored(plan: RunPlan) -> str | None:
    none = plan.data is not None and plan.data.held_out == 0
    return "no image is held out: scores are of images that were trained on, and copies go unseen" if none else None


def _range(plan: RunPlan) -> str | None:
    if plan.reals is None:
        return None
    low, high = plan.reals
    if -1.5 <= low < -0.05 and high <= 1.5:
        return None
    return f"the reals lie in {low:.3g} to {high:.3g}, not in -1 to 1"


RULES = (
    AuditRule(
        "very-few-images", "warning", "Very few images", "A first collection.", _few,
        always("add images, overlapping tiles for one", "--from RUN --set show=diff_augment (one on similar images)"),
        "Karras et al. (2020), section 2; Fake satellite images, mistake 7",
    ),
    *(
        AuditRule(
            f"images-{check}", "warning", says, "How the images were collected.", partial(_says, check=check),
            partial(_way, check=check), _MISTAKE.get(check, "the images themselves"),
        )
        for check, says in _CHECKS.items()
    ),
    AuditRule(
        "unusable-files", "warning", "Many files cannot be used", "A damaged copy, or other files among them.",
        _unusable,
        always("rejected.jsonl of the data set says why, file by file, and steadygan inspect does, too"),
        "Fake satellite images, mistake 7",
    ),
    AuditRule(
        "batch-of-everything", "warning", "A batch of half the images", "A batch for a larger set.", _batch,
        lambda plan: [*(["--batch 16"] if plan.setting("batch", 0) > 16 else []), "add images"],
        "Karras et al. (2020), section 2",
    ),
    AuditRule(
        "nothing-held-out", "info", "No image held out", "data.held_out=0, or a set of a few families.", _unscored,
        always("--set data.held_out=0.1 (or prepare the images again)"), "Karras et al. (2020), section 2",
        "Ten images, or tiles of one image, have nothing to spare.",
    ),
    AuditRule(
        "reals-range", "serious", "Reals that are not in -1..1", "Images as bytes or in 0..1, or normalised twice.",
        _range,
        always("bring reals to -1..1: images / 127.5 - 1 from bytes, images * 2 - 1 from 0..1, once"),
        "Fake satellite images, mistakes 8, 12 and 29",
    ),
)  # fmt: skip
