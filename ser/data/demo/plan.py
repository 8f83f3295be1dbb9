"""Who says what in the demo corpus, with which label and ratings: decided by a seed alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ser.data.demo import sentences

#: Shares of the labels, roughly IEMOCAP's with a little less outside the four classes.
LABEL_SHARES: Mapping[str, float] = {
    "neu": 0.235,
    "ang": 0.155,
    "sad": 0.150,
    "exc": 0.130,
    "hap": 0.090,
    "fru": 0.120,
    "xxx": 0.080,
    "sur": 0.020,
    "fea": 0.010,
    "oth": 0.005,
    "dis": 0.005,
}

#: Below this, not every speaker could show every class in both kinds of dialogue.
MIN_PER_SESSION = 24

#: Labels that each speaker has in improvised and in scripted dialogues.
_EVERYWHERE = ("neu", "ang", "sad", "exc", "hap")

#: Share of each label that is read from a script; anger mostly is, as in IEMOCAP.
_SCRIPTED_SHARE = {"ang": 0.74, "neu": 0.36, "sad": 0.44, "hap": 0.42, "exc": 0.42}

_CATEGORY = {
    "ang": "Anger",
    "dis": "Disgust",
    "exc": "Excited",
    "fea": "Fear",
    "fru": "Frustration",
    "hap": "Happiness",
    "neu": "Neutral",
    "oth": "Other",
    "sad": "Sadness",
    "sur": "Surprise",
}

#: Where raters disagree, they name one of these.
_NEARBY = {
    "ang": ("Frustration", "Disgust"),
    "dis": ("Anger", "Frustration"),
    "exc": ("Happiness", "Surprise"),
    "fea": ("Sadness", "Surprise"),
    "fru": ("Anger", "Neutral"),
    "hap": ("Excited", "Neutral"),
    "neu": ("Frustration", "Sadness"),
    "oth": ("Neutral", "Sadness"),
    "sad": ("Neutral", "Frustration"),
    "sur": ("Excited", "Fear"),
}

#: Mean valence, activation and dominance of each label, on the scale 1 to 5.
_DIMENSIONS = {
    "ang": (1.9, 3.7, 4.0),
    "dis": (2.0, 3.0, 3.2),
    "exc": (4.2, 3.9, 3.4),
    "fea": (2.1, 3.6, 2.4),
    "fru": (2.3, 3.2, 3.4),
    "hap": (4.1, 3.2, 3.2),
    "neu": (3.0, 2.7, 2.9),
    "oth": (2.8, 3.0, 3.0),
    "sad": (2.1, 2.3, 2.6),
    "sur": (3.2, 3.6, 2.9),
    "xxx": (2.8, 3.0, 3.0),
}

_DIALOGUES = (
    "F_impro01", "F_impro04", "M_impro05", "M_impro08",
    "F_script01_1", "F_script02_2", "M_script01_1", "M_script03_2",
)  # fmt: skip

#: Some pairs played a dialogue again; the release names the takes like this.
_ODD_DIALOGUES = {
    (3, "M_impro05"): ("M_impro05a", "M_impro05b"),
    (3, "M_impro08"): ("M_impro08a", "M_impro08b"),
    (5, "M_script01_1"): ("M_script01_1b",),
}


@dataclass(frozen=True, slots=True)
class Rating:
    """What one rater says about one turn.

    Args:
        rater: `E1` .. `E4`.
        categories: One or two category names.
        comment: Free text, often empty.
        dimensions: Valence, activation and dominance, integers in [1, 5]; dominance is
            None where the rater forgot it.
    """

    rater: str
    categories: tuple[str, ...]
    comment: str
    dimensions: tuple[int, int, int | None]


@dataclass(frozen=True, slots=True)
class PlannedTurn:
    """One utterance to be synthesised.

    Args:
        id: E.g. `Ses03M_impro05a_F002`.
        session: 1 .. 5.
        speaker: E.g. `Ses03F`.
        dialogue: E.g. `Ses03M_impro05a`.
        label: The release's label, e.g. `exc`.
        text: The words.
        strength: How plainly the emotion shows, in [0, 1]; raters disagree more below.
        ratings: Of three raters.
    """

    id: str
    session: int
    speaker: str
    dialogue: str
    label: str
    text: str
    strength: float
    ratings: tuple[Rating, ...]


def build(*, seed: int, utterances_per_session: int) -> tuple[PlannedTurn, ...]:
    """Decide every turn of the corpus.

    Args:
        seed: The same seed gives the same plan.
        utterances_per_session: At least `MIN_PER_SESSION`.

    Returns:
        Turns in order of session, dialogue and time.

    Raises:
        ValueError: Too few utterances for every speaker to show every class.
    """
    if utterances_per_session < MIN_PER_SESSION:
        raise ValueError(
            f"utterances_per_session must be >= {MIN_PER_SESSION}, got {utterances_per_session}"
        )
    turns: list[PlannedTurn] = []
    for session in range(1, 6):
        rng = np.random.default_rng((seed, session))
        counts = _label_counts(utterances_per_session, rng)
        cast = [role for label, count in counts.items() for role in _cast(label, count, rng)]
        rng.shuffle(cast)
        turns += stage(session, cast, rng)
    return tuple(turns)


def _label_counts(total: int, rng: np.random.Generator) -> dict[str, int]:
    """Return how often each label occurs in a session: the shares, with some scatter."""
    counts = dict.fromkeys(_EVERYWHERE, 4)
    shares = np.array(list(LABEL_SHARES.values())) * rng.uniform(0.7, 1.3, len(LABEL_SHARES))
    wanted = shares / shares.sum() * total
    lacking = {
        label: max(float(number) - counts.get(label, 0), 0.0)
        for label, number in zip(LABEL_SHARES, wanted, strict=True)
    }
    rest = total - sum(counts.values())
    exact = {label: rest * number / sum(lacking.values()) for label, number in lacking.items()}
    for label, number in exact.items():
        counts[label] = counts.get(label, 0) + int(number)
    by_remainder = sorted(exact, key=lambda label: int(exact[label]) - exact[label])
    for label in by_remainder[: total - sum(counts.values())]:
        counts[label] += 1
    return counts


def _cast(label: str, count: int, rng: np.random.Generator) -> list[tuple[str, str, bool]]:
    """Return (label, speaker letter, is scripted) of each utterance of a label."""
    corners = [("F", True), ("M", True), ("F", False), ("M", False)]
    corners = corners if label in _EVERYWHERE else []
    num_free = count - len(corners)
    scripted = rng.random(num_free) < _SCRIPTED_SHARE.get(label, 0.5)
    letters = rng.choice(["F", "M"], num_free)
    roles = [*corners, *zip(letters.tolist(), scripted.tolist(), strict=True)]
    return [(label, letter, is_scripted) for letter, is_scripted in roles]


def stage(
    session: int, cast: list[tuple[str, str, bool]], rng: np.random.Generator
) -> list[PlannedTurn]:
    """Spread a session's utterances over its dialogues.

    Args:
        session: 1 .. 5.
        cast: Label, speaker letter, and whether it is scripted, of each utterance.
        rng: Decides words and ratings.

    Returns:
        As many turns, in order of dialogue and time.
    """
    names = [
        f"Ses0{session}{take}"
        for dialogue in _DIALOGUES
        for take in _ODD_DIALOGUES.get((session, dialogue), (dialogue,))
    ]
    by_dialogue: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    for is_scripted in (False, True):
        places = [name for name in names if ("_script" in name) == is_scripted]
        roles = [role for role in cast if role[2] == is_scripted]
        for index, (label, letter, _) in enumerate(roles):
            by_dialogue[places[index % len(places)]].append((label, letter))
    return [
        turn for name, roles in by_dialogue.items() for turn in _turns(session, name, roles, rng)
    ]


def _turns(
    session: int, dialogue: str, roles: list[tuple[str, str]], rng: np.random.Generator
) -> list[PlannedTurn]:
    """Decide words and ratings of one dialogue."""
    first_line = int(rng.integers(len(sentences.SCRIPTED)))
    spoken: Counter[str] = Counter()
    turns = []
    for index, (label, letter) in enumerate(roles):
        line = sentences.SCRIPTED[(first_line + index) % len(sentences.SCRIPTED)]
        strength = float(rng.beta(2.5, 1.5))
        turns.append(
            PlannedTurn(
                id=f"{dialogue}_{letter}{spoken[letter]:03d}",
                session=session,
                speaker=f"Ses0{session}{letter}",
                dialogue=dialogue,
                label=label,
                text=line if "_script" in dialogue else sentences.improvise(rng),
                strength=strength,
                ratings=_ratings(label, strength, rng),
            )
        )
        spoken[letter] += 1
    return turns


def _ratings(label: str, strength: float, rng: np.random.Generator) -> tuple[Rating, ...]:
    """Return what three raters say; their majority is the label, or there is none (xxx)."""
    choices: list[tuple[str, ...]]
    if label == "xxx":
        every = sorted(set(_CATEGORY.values()))
        choices = [(str(name),) for name in rng.choice(every, 3, replace=False)]
    else:
        choices = [(_CATEGORY[label],)] * 3
        if rng.random() > strength:
            other = str(rng.choice(_NEARBY[label]))
            choices[2] = (other,) if rng.random() < 0.7 else (_CATEGORY[label], other)
    raters = sorted(rng.choice(4, 3, replace=False).tolist())
    return tuple(
        _rating(f"E{rater + 1}", categories, label, rng)
        for rater, categories in zip(raters, choices, strict=True)
    )


def _rating(
    rater: str, categories: tuple[str, ...], label: str, rng: np.random.Generator
) -> Rating:
    scores = np.clip(np.rint(_DIMENSIONS[label] + rng.normal(0.0, 0.6, 3)), 1, 5).astype(int)
    dominance = None if rng.random() < 0.02 else int(scores[2])
    comment = "tired; a little ironic" if "Other" in categories else ""
    return Rating(rater, categories, comment, (int(scores[0]), int(scores[1]), dominance))
