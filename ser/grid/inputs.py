"""What a cell is made from: the files it reads, their content and their digests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ser import components, known_digests, lineage
from ser.data import leakage, manifest, splits, votes
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.data.splits import Fold
from ser.data.votes import Votes
from ser.emotion import DIMENSIONS
from ser.errors import ParamsError, StaleFeaturesError
from ser.features.store import FeatureStore
from ser.grid.params import targets_fault
from ser.project import Project
from ser.training import plan as plans
from ser.training.plan import CellPlan
from ser.training.recipe import NormalisedBy
from ser.utterance import ratings_of, used_of

#: Imported by what trains a fold, and yet not what decides its numbers, beside
#: `ser.lineage.DECIDES_NOTHING`: pattern -> why not. They do decide what is written of it, so
#: DVC makes a cell's folder anew after they change, from the folds that are finished.
_PINNED_OTHERWISE: Mapping[str, str] = {
    "ser/emotion.py": "the manifest is pinned by digest, the emotions are in the key",
    "ser/data/leakage.py": "refuses folds; what fails has no result",
    "ser/data/left_out.py": "what is said of folds; they are pinned by digest",
    "ser/data/official.py": "how folds are dealt; they are pinned by digest",
    "ser/data/segments.py": "refuses folds; what fails has no result",
    "ser/data/sentences.py": "how folds are dealt; they are pinned by digest",
    "ser/data/votes.py": "the shares that it makes are in the key",
    "ser/data/voices.py": "what was heard is in the features",
    "ser/features/collection.py": "how features are collected; they are pinned by digest",
    "ser/files.py": "how files are replaced, not what they hold",
    "ser/grid/kept_folds.py": "where finished folds are found again",
    "ser/grid/procedure.py": "what is said of a cell; the params it is made of are in the key",
    "ser/grid/specs.py": "names, keys and tags of runs",
    "ser/grid/tuned.py": "the values it reads are in the key",
    "ser/grid/variants.py": "which params a variant has; they are in the key",
    "ser/tables.py": "how tables are written, not what is in them",
    "ser/tracking/*.py": "where runs are recorded",
    "ser/utterance.py": "the manifest is pinned by digest",
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """The content of the files that a cell reads.

    Args:
        project: Where it came from.
        feature: Name of the features.
        card: The corpus card.
        split: The split report.
        folds: All folds.
        store: The model's features.
        label_of: Utterance id -> class index; 0 where there are no classes.
        rating_of: Utterance id -> its ratings in the order of `ser.emotion.DIMENSIONS`, in
            points of their scale, [1, 5]; NaN where there is none.
        speaker_of: Utterance id -> speaker.
        session_of: Utterance id -> session, of those whose session is known.
        corpus_of: Utterance id -> corpus; the same for all but where two are joined.
        votes: Of the raters, as far as they are for the classes.
        digests: `manifest`, `split`, `features` -> SHA-256.
    """

    project: Project
    feature: str
    card: CorpusCard
    split: SplitReport
    folds: list[Fold]
    store: FeatureStore
    label_of: Mapping[str, int]
    rating_of: Mapping[str, tuple[float, ...]]
    speaker_of: Mapping[str, str]
    session_of: Mapping[str, str]
    corpus_of: Mapping[str, str]
    votes: Votes
    digests: Mapping[str, str]

    @property
    def emotions(self) -> tuple[str, ...]:
        """The classes, in order."""
        return self.card.emotions

    def group_of(self, normalisation: NormalisedBy) -> Mapping[str, str] | None:
        """Return utterance id -> whose statistics normalise it; None for those of the fold."""
        groups: Mapping[NormalisedBy, Mapping[str, str]] = {
            "speaker": self.speaker_of,
            "session": self.session_of,
            "corpus": self.corpus_of,
        }
        return groups.get(normalisation)

    def share_of(self, plan: CellPlan) -> Mapping[str, tuple[float, ...]] | None:
        """Return utterance id -> the shares of votes that a cell learns; None of hard targets."""
        return self.votes.targets(self.label_of) if plan.learns_votes else None


def load(
    project: Project, feature: str, *, feature_params: Mapping[str, Any], in_full: bool = False
) -> Inputs:
    """Read and check a cell's inputs.

    Args:
        project: Where they are.
        feature: Name of the features.
        feature_params: Params that the features must have been extracted with.
        in_full: Read all bytes of the features for their digest. Else files of which size, time
            and inode are as they were are not read again; `require_unchanged` makes it good.

    Returns:
        Their content.

    Raises:
        FileError: The card or the report is missing or damaged.
        ManifestError, SplitError: A file breaks its own rules.
        StaleFeaturesError: The features were made with other params or from other recordings,
            or the splits from another manifest.
    """
    utterances = manifest.read(project.manifest)
    card = CorpusCard.read(project.corpus_card)
    split = SplitReport.read(project.split_report)
    folder = project.features(feature)
    store = FeatureStore(folder, {"extractor": feature, "params": dict(feature_params)})
    digest_folder = lineage.digest_folder if in_full else _digest_of(project)
    digests = {
        "manifest": lineage.sha256_file(project.manifest),
        "split": lineage.sha256_file(project.splits),
        "features": digest_folder(folder),
    }
    for name, said in (("manifest", split.manifest_sha256), ("split", split.split_sha256)):
        if said != digests[name]:
            raise StaleFeaturesError(
                f"{project.split_report}: it speaks of another {name} "
                f"({said[:12]}, found {digests[name][:12]}); "
                f"run `dvc repro split`"
            )
    index = {emotion: label for label, emotion in enumerate(card.emotions)}
    used = used_of(utterances)
    store.require_recordings({u.id: u.sha256 for u in used})
    return Inputs(
        project=project,
        feature=feature,
        card=card,
        split=split,
        folds=splits.read(project.splits),
        store=store,
        label_of={u.id: index[u.emotion] if u.emotion else 0 for u in used},
        rating_of={u.id: ratings_of(u) for u in used},
        speaker_of={u.id: u.speaker for u in used},
        session_of={u.id: u.session for u in used if u.session is not None},
        corpus_of={u.id: u.corpus for u in used},
        votes=votes.of_corpus(utterances, card),
        digests=digests,
    )


def _digest_of(project: Project) -> Callable[[Path], str]:
    return lambda folder: known_digests.digest_folder(folder, project.kept_digests(folder))


def require_unchanged(inputs: Inputs) -> None:
    """Read the features once more as a whole, and refuse others than those that were loaded.

    Raises:
        StaleFeaturesError: Their bytes have changed, and sizes, times and inodes have not.
    """
    project = inputs.project
    folder = project.features(inputs.feature)
    if lineage.digest_folder(folder) != inputs.digests["features"]:
        project.kept_digests(folder).unlink(missing_ok=True)
        raise StaleFeaturesError(
            f"{folder}: its files were changed although sizes and times say nothing of it, so "
            f"folds may have been trained on something else; remove the folder and "
            f"{project.kept_folds}, and run `dvc repro`"
        )


def require_targets(plan: CellPlan, inputs: Inputs) -> None:
    """Refuse a cell that is to learn what its data or its loss does not have.

    Args:
        plan: The cell.
        inputs: Its data.

    Raises:
        ParamsError: See `require_ratings` and `require_votes`.
    """
    require_ratings(plan, inputs)
    require_votes(plan, inputs)


def require_ratings(plan: CellPlan, inputs: Inputs) -> None:
    """Refuse a loss that wants ratings or classes where there are none to learn from.

    Args:
        plan: The cell; one whose loss wants no ratings passes where there are classes.
        inputs: Its data.

    Raises:
        ParamsError: The corpus has no classes and the loss wants some, or the other way round;
            or nobody rated a fold's train part on one of the dimensions, as in a corpus without
            ratings.
    """
    loss = plans.build_loss(plan)
    if fault := targets_fault(plan.loss, loss.learns_classes, inputs.emotions):
        raise ParamsError(fault)
    if not loss.num_ratings:
        return
    for fold in inputs.folds:
        ratings = np.array([inputs.rating_of[id_] for id_ in fold.train])
        is_unrated = np.isnan(ratings).all(axis=0)
        # Without classes, what nobody in the corpus rates is not asked for.
        wanted = DIMENSIONS if inputs.emotions else tuple(inputs.card.rated)
        unrated = [
            name
            for name, is_so in zip(DIMENSIONS, is_unrated, strict=True)
            if is_so and name in wanted
        ]
        if unrated:
            raise ParamsError(
                f"losses.{plan.loss}.targets: vad learns from ratings of "
                f"{', '.join(DIMENSIONS)}, but corpus {_trains(inputs, fold)} has no rating of "
                f"{', '.join(unrated)} in the train part of fold {fold.number}; write "
                f"`targets: categories`, or use a corpus with ratings, as iemocap or demo"
            )


def require_votes(plan: CellPlan, inputs: Inputs) -> None:
    """Refuse soft targets where there are no votes, or where the loss has no form for shares.

    Args:
        plan: The cell; one of hard targets passes.
        inputs: Its data.

    Raises:
        ParamsError: Names the loss or the corpus, and the cure.
    """
    if not plan.learns_votes:
        return
    if not plans.build_loss(plan).learns_shares:
        raise ParamsError(plans.no_shares(plan.name, plan.loss))
    for fold in inputs.folds:
        if not any(id_ in inputs.votes.counts_of for id_ in fold.train):
            raise ParamsError(
                f"training.targets: soft learns from the votes of raters, but corpus "
                f"{_trains(inputs, fold)} has no votes for {', '.join(inputs.emotions)} in the "
                f"train part of fold {fold.number}; write `targets: hard`, or use a corpus with "
                f"votes, as iemocap, cremad or demo"
            )


def _trains(inputs: Inputs, fold: Fold) -> str:
    """Return the name of the corpus that a fold trains on, one of two where they are joined."""
    return ", ".join(sorted({inputs.corpus_of[id_] for id_ in fold.train}))


def require_classes(inputs: Inputs, *, what: str) -> None:
    """Refuse what compares cells by classes where there are none.

    Args:
        inputs: The data.
        what: Asks for it, for the message.

    Raises:
        ParamsError: `corpus.emotions` is empty.
    """
    if not inputs.emotions:
        raise ParamsError(
            f"{what}: it is compared by UAR, which a corpus without classes has not; take it out, "
            f"or name the classes in corpus.emotions"
        )


def require_normalising(plan: CellPlan, inputs: Inputs) -> None:
    """Refuse a normalisation that model or corpus does not allow, before anything is trained.

    Args:
        plan: The cell.
        inputs: Its data.

    Raises:
        ParamsError: Sessions normalise, and an utterance has none; or see
            `ser.training.plan.require_normalising`.
    """
    without = len(inputs.label_of) - len(inputs.session_of)
    if plan.recipe.normalisation == "session" and without:
        raise ParamsError(
            f"recipes.{plan.model}.normalisation: session needs the session of every utterance, "
            f"and corpus {inputs.card.name} does not say that of {without}; write "
            f"`normalisation: speaker`, or `fold`"
        )
    # Only the model knows, and it may take seconds to build.
    if plan.recipe.normalisation != "fold":
        model = plans.build_model(plan, feature=inputs.store.spec, head=plans.build_loss(plan).head)
        plans.require_normalising(plan, model)


def require_copies(plan: CellPlan, inputs: Inputs) -> None:
    """Refuse a recipe that draws from copies of the feature that it cannot train on.

    Args:
        plan: The cell.
        inputs: Its data.

    Raises:
        StaleFeaturesError: The store lacks a copy; names it and the cure.
        LeakageError: In a copy, utterances of train hear speakers of dev or test.
    """
    drawn = [inputs.store.of_copy(copy) for copy in plan.recipe.copies or ()]
    if any(copy.hears == "voices" for copy in drawn):
        leakage.require_separate_voices(inputs.folds, manifest.read(inputs.project.manifest))


def tuned_from(plan: CellPlan, inputs: Inputs) -> dict[str, str]:
    """Return what values for a cell are chosen for: its data and its own params, by SHA-256.

    Seeds but the first, which a search trains under, and what is kept or done after the choice
    count for nothing.
    """
    params = plan.params()
    training = params["training"]
    first = training.pop("seeds")[0]
    for name in ("keep_weights", "refit"):
        training.pop(name)
    said = {**params, "training": {**training, "seed": first}, "emotions": plan.emotions}
    return {**inputs.digests, "params": lineage.sha256_text(lineage.canonical_json(said))}


def sources(plan: CellPlan, root: Path) -> list[str]:
    """Return the source files that decide a cell's result.

    Args:
        plan: The cell.
        root: The project's root.

    Returns:
        All that its code imports, directly or not, but for `_PINNED_OTHERWISE` and
        `ser.lineage.DECIDES_NOTHING`; relative
        to the root, sorted.
    """
    chosen = ((components.LOSSES, plan.loss), (components.MODELS, plan.model))
    starts = ["ser/grid/cell.py", *(components.source(*one).as_posix() for one in chosen)]
    skip = (*lineage.DECIDES_NOTHING, *_PINNED_OTHERWISE)
    return lineage.imported_sources(root, starts, skip=skip)
