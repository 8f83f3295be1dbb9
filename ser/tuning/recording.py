"""Studies and their trials as runs of the tracker: one parent per study, one run per trial.

Runs are recorded from the study's storage by one process, trial by trial as they finish, so
that workers need no tracker and a lost tracking store can be filled again.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ser import lineage, provenance
from ser.contracts import Experiment, RunSpec, Tracker
from ser.grid import specs
from ser.grid.inputs import Inputs
from ser.grid.tuned import TunedFold
from ser.report.footer import footer_of
from ser.tracking import provenances
from ser.tuning import figures, trial_provenance
from ser.tuning import study as studies
from ser.tuning.jobs import Job
from ser.tuning.study import StudyPlan

VARIANT = "tuning"


def experiment_note(data: Inputs) -> str:
    """Return the description of the experiment's page, Markdown."""
    return (
        f"Studies of Optuna on {data.card.name}, protocol `{data.split.protocol}`: one run "
        "per cell and fold, with a nested run per trial. `dev/best_uar` is what they maximise; "
        "the test part of the fold is not known to them. The cell that was then trained has the "
        "study's name in the tag `ser.study`."
    )


def experiment_tags(data: Inputs) -> dict[str, str]:
    """Return the tags of the experiment: the corpus, and what studies are compared by."""
    return {"ser.corpus": data.card.name, "ser.headline": "dev/best_uar"}


class Recorder(AbstractContextManager["Recorder"]):
    """Records the studies of one experiment while they run.

    Args:
        experiment: Where the runs go.
        jobs: The studies -> the inputs of their cell.
        loaded: Name of a study -> the study.
        root: The project's root.
        folder: Where figures go, `<cell>/fold-<k>/` below it.
        alone: Keeps other machines that fill the same studies from recording meanwhile, so that
            no trial has two runs.
    """

    def __init__(
        self,
        experiment: Experiment,
        jobs: Iterable[tuple[Job, Inputs]],
        loaded: Mapping[str, optuna.Study],
        *,
        root: Path,
        folder: Path,
        alone: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._alone = alone
        self._experiment, self._jobs, self._loaded = experiment, list(jobs), loaded
        self._root, self._folder = root, folder
        self._seen: set[tuple[str, int]] = set()
        self._figures: dict[str, list[Path]] = {}
        self._open = ExitStack()
        self._parents: dict[str, Tracker] = {}

    def __enter__(self) -> "Recorder":
        with self._alone():
            for job, data in self._jobs:
                spec = study_spec(job.study, data, root=self._root)
                tracker = self._open.enter_context(self._experiment.run(spec))
                self._parents[job.study.name] = tracker
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._open.__exit__(kind, error, traceback)

    def report(self) -> None:
        """Record the trials that have finished since the last call; draw studies that are full.

        To draw takes as long as some trials do, and the workers are at the next study meanwhile.
        """
        new = [
            (job.study, trial, data)
            for job, data in self._jobs
            for trial in studies.finished(job.study, self._loaded[job.study.name])
            if (job.study.name, studies.slot_of(trial)) not in self._seen
        ]
        if not new:
            return
        with self._alone():
            for plan, trial, data in new:
                self._record(plan, trial, data)
                self._seen.add((plan.name, studies.slot_of(trial)))
        for plan, _, data in new:
            if self._is_full(plan):
                self._draw(plan, data)

    def conclude(self) -> None:
        """Record what finished studies came to, and their figures; close their runs.

        What another machine has concluded meanwhile is drawn here as well, but not recorded.
        """
        concluded = [
            (plan, studies.outcome(plan, self._loaded[plan.name]), self._draw(plan, data))
            for plan, data in ((job.study, data) for job, data in self._jobs)
        ]
        with self._alone():
            for plan, chosen, drawn in concluded:
                if not self._experiment.is_finished(_parent_key(plan)):
                    self._conclude(plan, chosen, drawn)
            self._open.close()

    def _is_full(self, plan: StudyPlan) -> bool:
        """Return whether a study is done, and has something to show."""
        trials = studies.finished(plan, self._loaded[plan.name])
        has_scores = any(trial.state == TrialState.COMPLETE for trial in trials)
        return has_scores and len(trials) >= plan.num_trials

    def _draw(self, plan: StudyPlan, data: Inputs) -> list[Path]:
        """Return a study's figures, drawn at the first call."""
        if plan.name not in self._figures:
            folder = self._folder / plan.cell.name / f"fold-{plan.fold}"
            planned = studies.as_planned(plan, self._loaded[plan.name])
            footer = footer_of(data.card, data.split)
            self._figures[plan.name] = figures.draw(planned, plan.space, folder, footer=footer)
        return self._figures[plan.name]

    def _conclude(self, plan: StudyPlan, chosen: TunedFold, drawn: Iterable[Path]) -> None:
        tracker, trials = self._parents[plan.name], studies.finished(plan, self._loaded[plan.name])
        tracker.log_metrics(
            {
                "dev/best_uar": float(chosen.dev_uar or 0.0),
                "num_trials": float(chosen.num_trials),
                "num_pruned": float(sum(t.state == TrialState.PRUNED for t in trials)),
            }
        )
        tracker.set_tags({f"ser.best.{k}": f"{v:.6g}" for k, v in chosen.params.items()})
        for path in drawn:
            tracker.log_artifact(path, folder="figures")

    def _record(self, plan: StudyPlan, trial: FrozenTrial, data: Inputs) -> None:
        spec = trial_spec(plan, trial, data)
        with self._experiment.run(spec, parent_key=_parent_key(plan)) as tracker:
            for epoch, uar in sorted(trial.intermediate_values.items()):
                tracker.log_metrics({"dev/uar": uar}, step=epoch)
            final: dict[str, float] = {}
            if trial.duration is not None:
                final["duration_s"] = trial.duration.total_seconds()
            if trial.state == TrialState.COMPLETE and trial.value is not None:
                final["dev/best_uar"] = trial.value
            tracker.log_metrics(final)


def study_spec(plan: StudyPlan, data: Inputs, *, root: Path) -> RunSpec:
    """Return the parent run of a study."""
    shared = specs.tags(plan.cell, data, source_sha256=plan.key)
    del shared["ser.source_sha256"]  # the sources are in the study's key
    searched = {dimension.name: asdict(dimension) for dimension in plan.space}
    ranges = "\n".join(
        f"- `{d.name}` from {d.low:g} to {d.high:g} {d.unit}".rstrip()
        + (", in the logarithm" if d.log else "")
        for d in plan.space
    )
    spec = RunSpec(
        name=f"{plan.cell.name}/fold-{plan.fold}",
        run_key=_parent_key(plan),
        tags={**shared, **_tags(plan), "ser.trial": "all"},
        params={
            **_params(plan, {}),
            "space": {
                name: {k: v for k, v in d.items() if k != "name"} for name, d in searched.items()
            },
        },
        note=(
            f"{plan.num_trials} trials of **{plan.cell.name}** on the train and dev parts of fold "
            f"{plan.fold}; study `{plan.name}`.\n\n{ranges}"
        ),
    )
    lock = provenances.lock_of(spec.tags, root)
    return provenances.described(spec, provenance.here(root).tags, lock)


def trial_spec(plan: StudyPlan, trial: FrozenTrial, data: Inputs) -> RunSpec:
    """Return the nested run of a finished trial."""
    slot = studies.slot_of(trial)
    spec = RunSpec(
        name=f"{plan.cell.name}/fold-{plan.fold}/trial-{slot}",
        run_key=f"{plan.key}-{slot}",
        tags={
            **_tags(plan),
            "ser.model": plan.cell.model,
            "ser.loss": plan.cell.loss,
            "ser.corpus": data.card.name,
            "ser.protocol": data.split.protocol,
            "ser.synthetic": str(data.card.synthetic).lower(),
            "ser.trial": str(slot),
            "ser.trial_state": trial.state.name,
            **({"ser.trial_error": error} if (error := trial.user_attrs.get("error")) else {}),
        },
        params=_params(plan, trial.params),
    )
    return provenances.described(spec, trial_provenance.tags_of(trial))


def _parent_key(plan: StudyPlan) -> str:
    # A study with more trials has another parent run: a finished one takes nothing more up.
    return lineage.sha256_text(f"study {plan.key} {plan.num_trials}")[:32]


def _tags(plan: StudyPlan) -> dict[str, str]:
    return {
        "ser.study": plan.name,
        "ser.fold": str(plan.fold),
        "ser.seed": str(plan.cell.training.seeds[0]),
    }


def _params(plan: StudyPlan, values: Mapping[str, float]) -> dict[str, Any]:
    """Return the cell's params, those of a trial filled in."""
    params = plan.cell.with_values(values).params()
    tuning = plan.params.model_dump(mode="json", exclude={"cells", "storage"})
    return {**params, "tuning": {**tuning, "num_trials": plan.num_trials}, "fold": plan.fold}
