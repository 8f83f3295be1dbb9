"""Open every recording a corpus names, and sort its labels into usable and refused."""

import math
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePosixPath

from ser import emotion
from ser.contracts import Corpus
from ser.data import audio, segments
from ser.data.audio import Recording
from ser.data.card import CorpusCard
from ser.data.corpora._base import CorpusParams
from ser.data.speech_kind import studied_emotion
from ser.errors import AudioError, CorpusError
from ser.progress import Progress
from ser.utterance import Annotation, Parsed, Rejection, Utterance, used_of

#: Control characters, bytes that are not UTF-8, separators of lines and paragraphs.
_ODD_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_MAX_CHARS = 800
_NUM_LISTED = 20
_NUM_NAMED = 5


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of a corpus' labels.

    Args:
        utterances: Those that can be used, sorted by id.
        rejections: All the others and why, sorted by id, audio and reason.
        vote_emotions: As in `Parsed`.
    """

    utterances: tuple[Utterance, ...]
    rejections: tuple[Rejection, ...]
    vote_emotions: Mapping[str, str] = field(default_factory=dict)


def take_in(
    parsed: Parsed,
    *,
    root: Path,
    params: CorpusParams,
    num_threads: int | None = None,
    progress: Progress | None = None,
) -> Intake:
    """Open all recordings in parallel and refuse, by name, what cannot be used.

    Each annotation ends as exactly one utterance or one rejection. Refused are:
    unusable audio; every occurrence of an id that occurs twice; paths that leave the
    root; ratings outside [1, 5]; parts of a recording whose times are impossible, beyond
    its end, or overlap those of the same speaker; and copies of one recording. Of copies with
    the same label and speaker the first by id is kept; copies that disagree are all refused,
    since nothing says which is right.

    Args:
        parsed: What the corpus' label files and listing say.
        root: The corpus' folder; audio paths are relative to it.
        params: `emotions` are kept, other emotions, and speech of another kind than `speech`,
            become None; its limits decide which audio is usable.
        num_threads: Files opened at once; None chooses one a processor, up to 16.
        progress: Wraps the iteration over recordings, e.g. `tqdm`.

    Returns:
        The utterances and the rejections, the parser's own included.
    """
    named, rejections = sort_out(parsed)
    opened: list[tuple[Annotation, Recording]] = []
    for annotation, result in zip(
        named, _inspect_all(named, root, params, num_threads, progress), strict=True
    ):
        if isinstance(result, Recording):
            opened.append((annotation, result))
        else:
            rejections.append(_reject(annotation, result))

    copies = _refused_copies(opened)
    rejections += [
        _reject(item, copies[index]) for index, (item, _) in enumerate(opened) if index in copies
    ]
    kept = (pair for index, pair in enumerate(opened) if index not in copies)
    return Intake(
        utterances=tuple(_utterance(item, recording, params) for item, recording in kept),
        rejections=tuple(
            sorted(
                (replace(r, reason=_one_line(r.reason)) for r in rejections),
                key=lambda r: (r.id, r.audio or "", r.reason),
            )
        ),
        vote_emotions=parsed.vote_emotions,
    )


def sort_out(parsed: Parsed) -> tuple[list[Annotation], list[Rejection]]:
    """Refuse, by name, what cannot be used whatever the recordings hold.

    Args:
        parsed: What the corpus' label files and listing say.

    Returns:
        The other annotations, sorted by id; the rejections, the parser's own included.
    """
    annotations = sorted(parsed.annotations, key=lambda item: (item.id, item.audio))
    rejections = list(parsed.rejections)
    occurrences = _audio_by_id(annotations)
    possible: list[Annotation] = []
    for annotation in annotations:
        fault = _fault(annotation, occurrences[annotation.id])
        if fault is None:
            possible.append(annotation)
        else:
            rejections.append(_reject(annotation, fault))
    overlapping = segments.refused(possible)
    rejections += [_reject(possible[index], reason) for index, reason in overlapping.items()]
    return [a for index, a in enumerate(possible) if index not in overlapping], rejections


def enforce(intake: Intake, *, max_rejected: int) -> None:
    """Stop when more was refused than the corpus may lose.

    Args:
        intake: From `take_in`.
        max_rejected: The most rejections allowed.

    Raises:
        CorpusError: More were refused; the message lists the first 20 with their reasons.
    """
    rejections = intake.rejections
    if len(rejections) <= max_rejected:
        return
    lines = [
        f"  {item.id}" + (f" ({item.audio})" if item.audio else "") + f": {item.reason}"
        for item in rejections[:_NUM_LISTED]
    ]
    if len(rejections) > _NUM_LISTED:
        lines.append(f"  ... and {len(rejections) - _NUM_LISTED} more")
    raise CorpusError(
        f"{len(rejections)} recordings or labels were refused, "
        f"{len(intake.utterances)} are usable; corpus.max_rejected allows {max_rejected}:\n"
        + "\n".join(lines)
        + "\ndata/rejected.jsonl lists them all; mend the corpus, or raise corpus.max_rejected "
        "in params.yaml to go on without them"
    )


def describe(corpus: Corpus, params: CorpusParams, intake: Intake) -> CorpusCard:
    """Return the corpus in numbers.

    Args:
        corpus: Its terms and whether a person spoke.
        params: Its params; `emotions` are the classes, in order.
        intake: From `take_in`.
    """
    used = used_of(intake.utterances)
    counts = Counter(u.emotion for u in used)
    labels = Counter(u.label for u in intake.utterances)
    rated = Counter(
        name for u in used for name in emotion.DIMENSIONS if getattr(u, name) is not None
    )
    return CorpusCard(
        name=params.name,
        synthetic=corpus.synthetic,
        licence=corpus.licence,
        citation=corpus.citation,
        emotions=params.emotions,
        num_utterances=len(intake.utterances),
        num_used=len(used),
        num_rejected=len(intake.rejections),
        num_speakers=len({u.speaker for u in used}),
        num_sessions=len({u.session for u in used if u.session is not None}),
        duration_s=round(sum(u.duration_s for u in used), 3),
        counts={name: counts[name] for name in params.emotions},
        labels=dict(sorted(labels.items())),
        params=params.model_dump(mode="json"),
        rated={name: rated[name] for name in emotion.DIMENSIONS if rated[name]},
        vote_emotions=dict(intake.vote_emotions),
    )


def _audio_by_id(annotations: Iterable[Annotation]) -> dict[str, list[str]]:
    """Return the audio paths of each id."""
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for annotation in annotations:
        paths[annotation.id].append(annotation.audio)
    return paths


def _fault(annotation: Annotation, occurrences: Sequence[str]) -> str | None:
    """Return what is wrong with an annotation before its audio is opened, or None."""
    if len(occurrences) > 1:
        return (
            f"the id occurs {len(occurrences)} times, for {_some(occurrences, ', ')}; "
            "an id must be unique in its corpus"
        )
    for name in ("id", "audio"):
        if odd := _odd_characters(getattr(annotation, name)):
            return (
                f"its {name} holds {odd}, which tables and feature stores cannot keep; rename the "
                f"file"
            )
    path = PurePosixPath(annotation.audio)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        return f"the audio path {annotation.audio!r} leaves the corpus' folder"
    start_s, end_s = annotation.start_s, annotation.end_s
    if (start_s, end_s) != (None, None) and not _is_place(start_s, end_s):
        return f"it is {start_s} to {end_s} s of its recording; expected 0 <= start < end"
    low, high = emotion.DIMENSION_RANGE
    for name in ("valence", "arousal", "dominance"):
        value = getattr(annotation, name)
        if value is not None and not low <= value <= high:  # a NaN fails both comparisons
            return f"{name} is {value!r}; it must be within [{low:g}, {high:g}]"
    return None


def _is_place(start_s: float | None, end_s: float | None) -> bool:
    if start_s is None or end_s is None:
        return False
    return 0.0 <= start_s < end_s < math.inf  # a NaN fails every comparison


def _one_line(reason: str) -> str:
    """Return a reason that can be printed: a table's cells may hold anything of any length."""
    shown = reason if len(reason) <= _MAX_CHARS else f"{reason[:_MAX_CHARS]}..."
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


def _odd_characters(text: str) -> str:
    """Return what of a name no line of UTF-8 can hold, as escapes; empty if there is none."""
    return ", ".join(
        sorted({ascii(c)[1:-1] for c in text if unicodedata.category(c) in _ODD_CATEGORIES})
    )


def _inspect_all(
    annotations: Sequence[Annotation],
    root: Path,
    params: CorpusParams,
    num_threads: int | None,
    progress: Progress | None,
) -> Iterable[Recording | str]:
    """Yield each annotation's recording, in order, or the reason why it is refused."""

    def inspect(annotation: Annotation) -> Recording | str:
        try:
            return audio.inspect(root / annotation.audio, params, annotation.segment)
        except AudioError as error:
            return str(error)

    # soundfile and hashlib let go of the interpreter's lock, so threads suffice.
    with ThreadPoolExecutor(num_threads or _default_num_threads()) as pool:
        results = pool.map(inspect, annotations)
        for _, result in zip((progress or iter)(annotations), results, strict=True):
            yield result


def _default_num_threads() -> int:
    # More than one a processor wait for each other: soundfile reads through Python callbacks.
    return min(16, os.cpu_count() or 1)


def _refused_copies(opened: Sequence[tuple[Annotation, Recording]]) -> dict[int, str]:
    """Return position -> reason for the recordings that are copies of another one."""
    by_samples: defaultdict[str, list[int]] = defaultdict(list)
    for index, (_, recording) in enumerate(opened):
        by_samples[recording.samples_sha256].append(index)
    refused: dict[int, str] = {}
    for indices in by_samples.values():
        members = [opened[index][0] for index in indices]
        if len(members) == 1:
            continue
        claims = Counter(_claim(item) for item in members)
        if len(claims) == 1:
            reason = f"the same audio as {members[0].id}, which is kept"
            refused |= dict.fromkeys(indices[1:], reason)
        else:
            listed = _some([_said(member) for member in members], "; ")
            reason = f"the same audio has conflicting labels, ratings or speakers: {listed}"
            refused |= dict.fromkeys(indices, reason)
    return refused


def _claim(item: Annotation) -> tuple[object, ...]:
    """Return what copies of a recording must agree on: all that may be learnt of it."""
    return item.label, item.emotion, item.speaker, *_ratings(item)


def _ratings(item: Annotation) -> tuple[float | None, ...]:
    return item.valence, item.arousal, item.dominance


def _said(item: Annotation) -> str:
    rated = ", ".join("none" if rating is None else f"{rating:g}" for rating in _ratings(item))
    return f"{item.id} is {item.label!r}{f' rated {rated}' * item.is_rated} by {item.speaker}"


def _some(parts: Sequence[str], separator: str) -> str:
    """Join the first few; each of a thousand copies would else list a thousand."""
    more = len(parts) - _NUM_NAMED
    return separator.join(parts[:_NUM_NAMED]) + (f"{separator}{more} more" if more > 0 else "")


def _reject(annotation: Annotation, reason: str) -> Rejection:
    return Rejection(id=annotation.id, audio=annotation.audio, reason=reason)


def _utterance(annotation: Annotation, recording: Recording, params: CorpusParams) -> Utterance:
    """Return a manifest's record, its emotion narrowed to the study's classes."""
    said = {field.name: getattr(annotation, field.name) for field in fields(Annotation)}
    said["emotion"] = studied_emotion(annotation, emotions=params.emotions, speech=params.speech)
    return Utterance(
        **said,
        sha256=recording.sha256,
        num_samples=recording.num_samples,
        sampling_rate=recording.sampling_rate,
        duration_s=recording.duration_s,
    )
