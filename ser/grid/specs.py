"""How the runs of a cell are named, keyed and tagged in the tracker."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser import cross_folders, lineage, markdown
from ser.contracts import DatasetReference, RunSpec
from ser.data import task
from ser.emotion import DIMENSIONS
from ser.grid.inputs import Inputs
from ser.grid.procedure import Procedure
from ser.grid.tuned import UNTUNED, TunedCell, TunedFold
from ser.training.plan import CellPlan

#: Settings of training that choose what is run or kept, not what a run results in.
_INDIFFERENT = ("seeds", "keep_weights")


def experiment_name(inputs: Inputs, variant: str = "") -> str:
    """Return `ser/<task>/<protocol>`, and `/<variant>` of cells that the grid does not show."""
    name = f"ser/{task_of(inputs)}/{inputs.split.protocol}"
    return f"{name}/{variant}" if variant else name


def task_of(inputs: Inputs) -> str:
    """Return the name of what is recognised, see `ser.data.task`."""
    return task.of_card(inputs.card)


def experiment_note(inputs: Inputs) -> str:
    """Return the description of the experiment's page, Markdown."""
    card, split = inputs.card, inputs.split
    kind = "**Synthetic speech**: proves the machinery, nothing else." if card.synthetic else ""
    dependent = "" if split.speaker_independent else "**Speaker-dependent protocol.** "
    learnt = f"emotions {', '.join(card.emotions)}" if card.emotions else _ratings_of(inputs)
    headline = f"test/{headline_of(inputs)}"
    return (
        f"{card.num_used} utterances of {card.num_speakers} speakers, {learnt}; "
        f"protocol `{split.protocol}`, {len(inputs.folds)} folds. {dependent}{kind}\n\n"
        "One run per cell (model and loss) with the scores pooled over folds and averaged over "
        f"seeds; one nested run per fold and seed. Compare cells by `{headline}`; "
        f"the search `tags.\"ser.fold\" = 'all'` leaves them alone. `dev/{headline_of(inputs)}` is "
        "of an epoch; of the epoch that was chosen it is "
        f"`dev/best_{headline_of(inputs)}`, of a cell its mean over folds and seeds."
    )


def experiment_tags(inputs: Inputs) -> dict[str, str]:
    """Return the tags of a cell's experiment: the corpus, and what cells are compared by."""
    return {"ser.corpus": inputs.card.name, "ser.headline": f"test/{headline_of(inputs)}"}


def headline_of(inputs: Inputs) -> str:
    """Return the score that cells are compared by: `uar`, or `ccc` where there are no classes."""
    return "uar" if inputs.emotions else "ccc"


def _ratings_of(inputs: Inputs) -> str:
    return f"ratings of {', '.join(inputs.card.rated)}, without classes"


def decisive(
    plan: CellPlan,
    inputs: Inputs,
    *,
    fold: int,
    seed: int,
    source_sha256: str,
    machine: Mapping[str, Any],
    variant: str = "",
) -> dict[str, Any]:
    """Return everything that decides a fold's result; `run_key` is a hash of it.

    Args:
        plan: Model, loss and settings, with the values tuned for this fold.
        inputs: Data, by digest.
        fold: Its number.
        seed: Its seed.
        source_sha256: Of the code that trains.
        machine: Kind of device and number of processes: they sum in other orders.
        variant: What keeps this fold apart from another of the same params, see
            `ser.grid.variants.part_of_key`. The result does not depend on it.

    Returns:
        Params, digests and versions: what JSON can say.
    """
    return {
        "params": _deciding(plan.params()),
        "emotions": plan.emotions,
        "fold": fold,
        "seed": seed,
        "data": data_of(plan, inputs),
        "source": source_sha256,
        "machine": dict(machine),
        "versions": dict(lineage.package_versions(lineage.DECISIVE_PACKAGES)),
        **({"variant": variant} if variant else {}),
    }


def run_key(decisive: Mapping[str, Any]) -> str:
    """Return the hash of what decides a fold's result, 32 hexadecimal digits."""
    return lineage.sha256_text(lineage.canonical_json(decisive))[:32]


def data_of(plan: CellPlan, inputs: Inputs) -> dict[str, str]:
    """Return what data decides a cell's result, name -> SHA-256; of soft targets the shares too."""
    share_of = inputs.share_of(plan)
    if share_of is None:
        return dict(inputs.digests)
    return {**inputs.digests, "shares": lineage.sha256_text(lineage.canonical_json(share_of))}


def without_default_targets(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return params of training as part of a key: hard targets, as ever, are not said."""
    return {k: v for k, v in training.items() if (k, v) != ("targets", "hard")}


def cell_key(fold_keys: Mapping[tuple[int, int], str]) -> str:
    """Return the key of a cell's parent run, from those of its folds and seeds."""
    keys = lineage.canonical_json(sorted(fold_keys.values()))
    return lineage.sha256_text(f"cell {keys}")[:32]


def tags(plan: CellPlan, inputs: Inputs, *, source_sha256: str) -> dict[str, str]:
    """Return the tags that every run of a cell shares: what it is, and what decides it.

    Where it came from is not among them, see `ser.tracking.provenances`: they are part of what DVC
    keeps, which is the same wherever it is made.
    """
    versions = lineage.package_versions(lineage.DECISIVE_PACKAGES)
    upstream = cross_folders.upstream(inputs.project, inputs.feature)
    return {
        "ser.model": plan.model,
        "ser.loss": plan.loss,
        "ser.feature": inputs.feature,
        "ser.corpus": inputs.card.name,
        task.TAG: task_of(inputs),
        "ser.protocol": inputs.split.protocol,
        "ser.synthetic": str(inputs.card.synthetic).lower(),
        "ser.speaker_independent": str(inputs.split.speaker_independent).lower(),
        **_procedure(plan).tags,
        "ser.manifest_sha256": inputs.digests["manifest"],
        "ser.split_sha256": inputs.digests["split"],
        "ser.features_sha256": inputs.digests["features"],
        "ser.source_sha256": source_sha256,
        **{f"ser.{name}": version for name, version in versions.items()},
        "ser.upstream_stages": ",".join(upstream),
    }


def cell_spec(
    plan: CellPlan,
    inputs: Inputs,
    *,
    key: str,
    shared: Mapping[str, str],
    tuned: TunedCell | None = None,
) -> RunSpec:
    """Return the parent run of a cell; `tuned` is what tuning chose per fold, if it did."""
    params = plan.params()
    studies = {number: fold for number, fold in (tuned or {}).items() if fold.study}
    for fold in studies.values():
        for name in fold.params:
            section, _, field = name.partition(".")
            # Each fold has its own; the nested runs show them.
            params[section] = {**params[section], field: "tuned"}
    if studies:
        params["tuned"] = {f"fold-{number}": dict(f.params) for number, f in studies.items()}
    return RunSpec(
        name=plan.name,
        run_key=key,
        tags={
            **shared,
            "ser.fold": "all",
            "ser.seed": "all",
            "ser.tuned": str(bool(studies)).lower(),
        },
        params=_all_params(params, inputs),
        note=_note(plan, inputs) + _tuning_note(plan, inputs, studies),
        datasets=_datasets(inputs),
    )


def fold_spec(
    plan: CellPlan,
    inputs: Inputs,
    *,
    key: str,
    shared: Mapping[str, str],
    fold: int,
    seed: int,
    tuned: TunedFold = UNTUNED,
) -> RunSpec:
    """Return the nested run of one fold under one seed; the plan holds what is tuned for it."""
    record = inputs.split.fold(fold)
    speakers = {p: ", ".join(map(markdown.plain, names)) for p, names in record.speakers.items()}
    return RunSpec(
        name=f"{plan.name}/fold-{fold}/seed-{seed}",
        run_key=key,
        tags={**shared, "ser.fold": str(fold), "ser.seed": str(seed), **_tuned_tags(tuned)},
        params=_all_params({**_deciding(plan.params()), "fold": fold, "seed": seed}, inputs),
        note=(
            f"Fold {fold} under seed {seed}. Test speakers: {speakers['test']}; "
            f"dev: {speakers['dev']}; train: {speakers['train']}.{_remarks(plan)}"
        ),
        datasets=_datasets(inputs),
    )


def _deciding(params: Mapping[str, Any]) -> dict[str, Any]:
    training = without_default_targets(params["training"])
    return {**params, "training": {k: training[k] for k in training if k not in _INDIFFERENT}}


def _all_params(params: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
    """Add what upstream stages were run with.

    A corpus' mappings have names that its user chose: each is one value, whatever they are.
    """
    meta = inputs.store.meta
    corpus = {
        key: json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else value
        for key, value in inputs.card.params.items()
    }
    return {
        **params,
        "corpus": corpus,
        "split": inputs.split.params.model_dump(mode="json"),
        "feature": {
            "name": meta["extractor"],
            "sampling_rate": meta["sampling_rate"],
            **meta["params"],
        },
    }


def _note(plan: CellPlan, inputs: Inputs) -> str:
    kind = " **Synthetic speech.**" if inputs.card.synthetic else ""
    rates = (
        f" It rates {', '.join(DIMENSIONS)}: `test/ccc_<dimension>` and, in points from 1 "
        "to 5, `test/mae_<dimension>`, pooled and averaged in the same way."
        if plan.num_ratings
        else ""
    )
    headline = f"test/{headline_of(inputs)}"
    return (
        f"**{plan.model}** trained with **{plan.loss}** on {inputs.card.name}, "
        f"protocol `{inputs.split.protocol}`, {len(inputs.folds)} folds, seeds "
        f"{', '.join(map(str, plan.training.seeds))}.{kind} `{headline}` pools the test parts "
        f"of all folds and averages over seeds; `{headline}_low` and `{headline}_high` are a 95 % "
        "interval over speakers. The epoch is chosen on dev; the test part is read once."
        f"{_remarks(plan)}{rates}"
    )


def _procedure(plan: CellPlan) -> Procedure:
    training = plan.training
    return Procedure(
        training.refit, plan.recipe.normalisation, training.targets, training.precision
    )


def _remarks(plan: CellPlan) -> str:
    """Return what is not as usual in how the cell is trained, a paragraph each."""
    remarks = _procedure(plan).remarks
    return "".join(f"\n\n**{word.capitalize()}**: {said}." for word, said in remarks.items())


def _tuned_tags(tuned: TunedFold) -> dict[str, str]:
    """Return whether a fold's params were tuned, and the study that links to its trials."""
    if tuned.study is None:
        return {"ser.tuned": "false"}
    return {"ser.tuned": "true", "ser.study": tuned.study}


def _tuning_note(plan: CellPlan, inputs: Inputs, studies: TunedCell) -> str:
    if not studies:
        return ""
    experiment = experiment_name(inputs, "tuning")
    chosen = "\n".join(
        f"- fold {number}: "
        + ", ".join(f"{name} {value:.4g}" for name, value in fold.params.items())
        + f" (study `{fold.study}`)"
        for number, fold in studies.items()
    )
    return (
        f"\n\nTuned on each fold's train and dev parts; the trials are in the experiment "
        f"`{experiment}`, search `tags.\"ser.model\" = '{plan.model}' and "
        f"tags.\"ser.loss\" = '{plan.loss}'`.\n\n{chosen}"
    )


def _datasets(inputs: Inputs) -> tuple[DatasetReference, ...]:
    places = {"manifest": inputs.project.manifest, "split": inputs.project.splits}
    return tuple(
        DatasetReference(name, inputs.digests[name], _below_root(path, inputs), "training")
        for name, path in places.items()
    )


def _below_root(path: Path, inputs: Inputs) -> str:
    """Return a path as it is said in every checkout."""
    return path.relative_to(inputs.project.root).as_posix()
