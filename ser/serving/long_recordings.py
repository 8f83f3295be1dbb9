"""One recording of any length, from its file to its segments and their figure."""

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser.errors import FileError
from ser.progress import Progress
from ser.serving import segments
from ser.serving.prediction import Prediction
from ser.serving.predictor import Predictor
from ser.serving.segments import Segmentation, SegmentParams
from ser.serving.sound import Audible, Survey

#: Endings of a figure's file.
_FIGURES = (".png", ".svg")
_TITLE = "Emotions over time"
#: In which the title of a figure stands, in bytes.
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class HeardRecording:
    """All that is known of a recording.

    Args:
        survey: Of its sound.
        prediction: Of the whole and its windows.
        segmentation: Of its segments.
    """

    survey: Survey
    prediction: Prediction
    segmentation: Segmentation


def hear(
    predictor: Predictor,
    sound: Audible,
    params: SegmentParams,
    *,
    progress: Callable[[str], Progress] = lambda _: iter,
) -> HeardRecording:
    """Return what is heard in a recording, which is never in memory as a whole.

    It is decoded to its end first, so that whatever is wrong with it is known before the network
    is asked; then once for the windows of the model, and once for those of the segments.

    Args:
        predictor: Who answers.
        sound: The recording: a `Waveform` or a `LongFile`.
        params: How it becomes segments.
        progress: Gives what wraps a loop; it is told which: `listening`, `windows`, `segments`.

    Raises:
        AudioInputError: The recording cannot be used.
    """
    survey = predictor.survey(sound, progress=progress("listening"))
    prediction = predictor.predict(sound, survey, progress=progress("windows"))
    found = segments.segment(
        predictor, sound, survey, prediction, params, progress=progress("segments")
    )
    return HeardRecording(survey, prediction, found)


def require_figure(path: Path, recordings: Sized) -> None:
    """Refuse a figure that cannot be drawn.

    Raises:
        FileError: Its ending names no kind of picture, or there are several recordings.
    """
    if path.suffix not in _FIGURES:
        raise FileError(f"{path}: a figure ends in {' or '.join(_FIGURES)}")
    if len(recordings) > 1:
        raise FileError(
            f"{path}: a figure is of one recording, and there are {len(recordings)}; give them one "
            f"by one"
        )


def is_figure(path: Path) -> bool:
    """Return whether a file is a figure that `draw` wrote."""
    try:
        with path.open("rb") as file:
            return _TITLE.encode() in file.read(_HEAD)
    except OSError:
        return False


def draw(heard: HeardRecording, path: Path, *, source: str, answered_by: Mapping[str, Any]) -> None:
    """Write the figure of a recording, PNG or SVG by its ending.

    Args:
        heard: From `hear`.
        path: See `require_figure`.
        source: The recording's name, for the title.
        answered_by: See `ser.registry.identity.identity_of`.
    """
    from ser.figures import style
    from ser.figures.emotions_over_time import emotions_over_time

    found, name = heard.segmentation, Path(source).name
    who = answered_by
    named = f"{who['name']} version {who['version']}" if who["name"] else who["cell"]
    kind = "SYNTHETIC speech" if who["synthetic"] else "real speech"
    figure = emotions_over_time(
        heard.survey.outline,
        [(one.start_s, one.end_s, one.most_probable, not one.abstained) for one in found.segments],
        found.times,
        dict(zip(who["emotions"], found.probabilities.T, strict=True)),
        title=f"{_TITLE}: {name}",
        footer=f"answered by {named}, which learnt from {kind} ({who['task']})",
    )
    style.save(figure, path, formats=[path.suffix.removeprefix(".")], title=f"{_TITLE}: {name}")
