"""Scores of a run, a folder of pictures or the user's own generator, against real images: `evaluate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, model_validator
from torch import Tensor

from steadygan import cards
from steadygan.config import BY_NAME, resolve
from steadygan.data import (
    Dataset,
    PrepareSettings,
    is_dataset,
    is_missing,
    open_dataset,
    prepare_cached,
    resplit,
    smaller,
)
from steadygan.errors import ConfigError, DataError, os_errors
from steadygan.export import TrainedGenerator
from steadygan.features import AnyFeatures, Scattering
from steadygan.names import shown
from steadygan.records import Score
from steadygan.runs import Run, RunInfo, SavedCheckpoint
from steadygan.scoring import Judge, Metric, Split, choose_metrics, choose_reference
from steadygan.scoring.describe import Rows
from steadygan.scoring.judge import REPEATS
from steadygan.scoring.metrics import DEFAULT
from steadygan.studies.subjects import Subject, choose_source, digest_of, is_path, run_of, trained
from steadygan.training.config import RunConfig, Settings
from steadygan.training.console import Reporter, Silent
from steadygan.training.runtime import choose_device
from steadygan.training.sampling import rows as picture_rows
from steadygan.visual.nearest import save_nearest

__all__ = ["Evaluation", "evaluate"]

HEAD = ("metric", "value", "95 % interval", "reals score", "better")
_MOST = 10_000
_SHOWN = 12
_SHOWN_BYTES = 2**26
_FEW = 2_000


def _chosen(value: Any) -> Any:
    return choose_metrics(value.split(",") if isinstance(value, str) else value)


class EvaluationSettings(Settings):
    """How pictures are scored.

    `count` of each kind, at most as many as there are; None: all of the split, but no more than 10,000. `split` is
    which reals they are compared with: those held out of training, those trained on, or all. `size` is that of the
    pictures where nothing else says it. `repeats` subsamples make the intervals, 0 none. `checkpoint` is that of a
    run. `seed` draws latents and reals. `nearest` is where to draw the pictures most like training images; None: in
    the folder of a run, by other features than scattering beside that with their name, else nowhere.
    """

    metrics: Annotated[tuple[InstanceOf[Metric], ...], BeforeValidator(_chosen)] = DEFAULT
    features: Annotated[AnyFeatures, BY_NAME] = Scattering()
    count: int | None = Field(default=None, ge=1)
    split: Split = "held-out"
    size: int | None = Field(default=None, ge=8)
    seed: int = Field(default=0, ge=0, lt=2**63)
    checkpoint: str = "best"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    repeats: int = Field(default=REPEATS, ge=0)
    nearest: Path | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if not self.metrics:
            raise ValueError("there is nothing to measure; name a metric")
        if self.nearest and self.nearest.suffix.lower() not in (".png", ".jpg"):
            raise ValueError(f"nearest: {self.nearest} is no name of a picture; choose FILE.png")
        if self.nearest and not any(metric.looks_for_copies for metric in self.metrics):
            raise ValueError("nearest: only the metric memorised finds those pictures; add it to the metrics")
        return self


class Evaluation(BaseModel):
    """What `evaluate` found. `remarks` are sentences on how far the scores can be trusted."""

    model_config = ConfigDict(ser_json_inf_nan="constants")

    subject: str
    data: str
    split: Split
    count: int
    remarks: list[str]
    scores: list[Score]
    nearest: Path | None = None

    def rows(self) -> list[tuple[str, ...]]:
        """The scores in words, for the columns of `HEAD`."""
        return [_cells(score) for score in self.scores]

    def how(self) -> str:
        """The protocol in words."""
        return f"{self.count:,} pictures of each kind; {self.split} images of {shown(self.data)}"

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(HEAD, *self.rows(), strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in (HEAD, *self.rows()))
        return "\n".join([self.how(), *lines, *map(shown, self.remarks)])

    def _repr_html_(self) -> str:
        protocols = [score.protocol.rpartition(" ")[2] for score in self.scores]
        rows = [(*cells, protocol) for cells, protocol in zip(self.rows(), protocols, strict=True)]
        means = [f"{score.metric}: {score.says}" for score in self.scores if score.says]
        return cards.card(
            f"Scores of {self.subject}",
            cards.table((*HEAD, "protocol"), rows) + cards.lines([self.how(), *self.remarks]),
            cards.lines(means),
            cards.picture(cards.small(self.nearest), "those most like training images", 560) if self.nearest else "",
        )

    def __getitem__(self, metric: str) -> Score:
        """The score of a metric; KeyError if it was not asked for."""
        return {score.metric: score for score in self.scores}[metric]


def _cells(score: Score) -> tuple[str, ...]:
    """A score in words."""
    unit = f" {score.unit}" if score.unit else ""
    interval = "" if score.low is None or score.high is None else f"{score.low:.4g} to {score.high:.4g}"
    floor = "" if score.floor is None else f"{score.floor:.4g}{unit}"
    return score.metric, f"{score.value:.4g}{unit}", interval, floor, score.better


@os_errors()
def evaluate(
    subject: Subject | Run,
    data: str | Path | Dataset | None = None,
    *,
    console: Reporter | None = None,
    recipe: str | RunConfig | None = None,
    **settings: Any,
) -> Evaluation:
    """Score pictures against real images: of a run (by its own images, if no others are named), of an exported
    generator, of a folder, or of a function or iterable that gives batches uint8 (N, C, S, S) or floats in -1..1.

    `settings` are those of `EvaluationSettings`, as `metrics=["swd", "fd"]`, `features="inception"` or `count=1000`.
    `recipe` is what the generator was trained with, needed if its networks are the user's own. The scores of a run
    are written into its folder, too. Raises ConfigError and DataError.
    """
    chosen = resolve(EvaluationSettings, settings)
    subject = subject.path if isinstance(subject, Run) else subject
    model = trained(subject, chosen.checkpoint, recipe)
    if recipe and model is None:
        raise ConfigError("recipe: one is given, but what is scored is neither a run nor an exported generator")
    if chosen.checkpoint != "best" and run_of(subject) is None:
        raise ConfigError(f"checkpoint: {chosen.checkpoint} is asked for, but what is scored is no run")
    if model and chosen.size not in (None, model.spec.size):
        raise ConfigError(f"size: the generator makes pictures of {model.spec.size} pixels, not {chosen.size}")
    with closing(console or Silent()) as said:
        dataset, remarks = open_reals(subject, data, said, _size(subject, model) or chosen.size, digest_of(model))
        own = not remarks
        device = torch.device(choose_device(chosen.device))
        source = choose_source(subject, model, dataset, device)
        count = min(filter(None, (chosen.count or _MOST, source.available)))
        reference = choose_reference(dataset, chosen.split, count, chosen.seed)
        metrics, left_out = _possible(chosen, own)
        judge = Judge(metrics, reference, chosen.features.build(device), chosen.repeats, said.counting)
        shown: list[Tensor] = []
        rows = judge.rows(_keeping(shown, source.pictures(reference, chosen.seed)))
        found = Evaluation(
            subject=str(subject) if isinstance(subject, str | Path) else getattr(subject, "__name__", "your own code"),
            data=str(_named(subject, data)),
            split=chosen.split,
            count=reference.count,
            remarks=[*remarks, *left_out, *_remarks(reference.count, chosen)],
            scores=judge.scores(rows),
            nearest=_draw_nearest(subject, chosen, judge, rows, shown),
        )
    _record(subject, model, found.scores)
    return found


def open_reals(
    subject: Subject,
    data: str | Path | Dataset | None,
    said: Reporter,
    size: int | None = None,
    trained_on: str | None = None,
) -> tuple[Dataset, list[str]]:
    """The set of real images to compare a subject with, and remarks on it: those of a run, or others in the same form.

    `trained_on` is the digest of the set that the subject was trained on, where it is known. ConfigError if there is
    neither a run nor `data`; DataError if the run's own have changed.
    """
    run = run_of(subject)
    if isinstance(data, Dataset):
        dataset = data
    elif data is None and is_path(subject) and not Path(str(subject)).exists():
        raise ConfigError(f"there is no run, file or folder {subject}; check the path")
    elif data is None and run is None:
        raise ConfigError("say what the pictures are to be compared with: steadygan evaluate PICTURES REALS")
    else:
        dataset = _opened(run, data, size, said)
    if trained_on in (None, dataset.digest):
        return dataset, []
    if data is None and run is not None:
        source = run.info().data.source
        raise DataError(f"the images in {source} are not those this run was trained on; say which to compare with")
    return dataset, ["these are not the images that it was trained on: some of those called held out may have been"]


def _named(subject: Subject, data: str | Path | Dataset | None) -> str | Path:
    """The set as people know it: what it was made from, where it lies prepared in the cache."""
    run = run_of(subject)
    if isinstance(data, Dataset):
        return data.path
    return run.info().data.source if data is None and run else data or ""


def _opened(run: Run | None, data: str | Path | None, size: int | None, said: Reporter) -> Dataset:
    """The images of a run, or others in the same form; held out are those that the run's split seed draws."""
    split_seed = run.info().config.get("data", {}).get("split_seed", 0) if run else 0
    return resplit(_in_form(run, data, size, said), split_seed, said.say)


def _in_form(run: Run | None, data: str | Path | None, size: int | None, said: Reporter) -> Dataset:
    info: RunInfo | None = run.info() if run else None
    source = data if data is not None else info.data.source if info else ""
    if data is None and is_missing(source):
        raise DataError(f"the images of this run are not in {source}; name them: evaluate {run and run.path} FOLDER")
    size = info.data.spec.size if info else size
    if is_dataset(Path(source)):
        dataset = open_dataset(source)
        larger = size is not None and size < dataset.spec.size
        return smaller(dataset, size or 0, said.preparing, said.say) if larger else dataset
    asked = info.config["data"] if info else {}
    known = {name: value for name, value in asked.items() if name in PrepareSettings.model_fields}
    settings = PrepareSettings.model_validate({**known, "size": size})
    return prepare_cached(source, settings, progress=said.preparing, say=said.say)


def _size(subject: Subject, model: TrainedGenerator | None) -> int | None:
    """Pixels of a side of the subject's pictures, where it says so."""
    if model is not None:
        return model.spec.size
    path = Path(str(subject)) if is_path(subject) else None
    return open_dataset(path).spec.size if path and is_dataset(path) else None


def _possible(chosen: EvaluationSettings, own: bool) -> tuple[Sequence[Metric], list[str]]:
    """The metrics without those that make no sense here, and why."""
    if chosen.split == "held-out" and own:
        return chosen.metrics, []
    left = [metric for metric in chosen.metrics if not metric.looks_for_copies]
    names = ", ".join(metric.name for metric in chosen.metrics if metric.looks_for_copies)
    return left, [f"{names} is left out: it needs images held out of the training"] if names else []


def _remarks(count: int, chosen: EvaluationSettings) -> list[str]:
    """How far the scores go."""
    remarks = []
    if chosen.count and count < chosen.count:
        remarks.append(f"{count:,} pictures of each kind, not {chosen.count:,}: there are no more to compare")
    if count < _FEW and any(metric.name == "fd" for metric in chosen.metrics):
        remarks.append(f"with {count:,} pictures of each kind fd is too high, by about its floor; kid is not")
    if chosen.split != "held-out":
        remarks.append("compared with images that were trained on: a generator that copies them scores best")
    return remarks


def _keeping(shown: list[Tensor], batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """The stream; of its first pictures 64 MiB, but at least 8, are kept in `shown`."""
    kept = 0
    for images in batches:
        room = max(_SHOWN_BYTES // images[0].nbytes, 8) - kept
        if room > 0:
            shown.append(images[:room])
            kept += len(shown[-1])
        yield images


def _draw_nearest(
    subject: Subject, chosen: EvaluationSettings, judge: Judge, rows: dict[str, Rows], shown: list[Tensor]
) -> Path | None:
    """Draw the generated pictures most like training images, with those and with their nearest held-out ones."""
    run = run_of(subject)
    out = chosen.nearest or (run.files.nearest_by(chosen.features.kind) if run else None)
    kept = torch.cat(shown) if shown else torch.empty(0)
    closest = judge.closest(rows, _SHOWN, len(kept)) if out and len(kept) else None
    if out is None or closest is None:
        return None
    fake, training, held_out = closest
    images = judge.reference.dataset.images
    save_nearest(picture_rows(kept[torch.from_numpy(fake)]), images[training], images[held_out], out)
    return out


def _record(subject: Subject, model: TrainedGenerator | None, scores: list[Score]) -> None:
    """Write the scores of a run into its folder, once."""
    run = run_of(subject)
    if run is None or model is None:
        return
    done = SavedCheckpoint(run.files.checkpoint(int(model.about["images"]))).meta.progress
    run.add_scores(score.at(done["steps"], done["images"]) for score in scores)
