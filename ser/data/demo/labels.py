"""The demo corpus' label files and transcripts as text, in IEMOCAP's formats."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from ser.data.demo.plan import PlannedTurn, Rating


@dataclass(frozen=True, slots=True)
class TimedTurn:
    """A turn and where it lies in its dialogue, in seconds."""

    turn: PlannedTurn
    start_s: float
    end_s: float


def evaluation(timed: Sequence[TimedTurn]) -> str:
    """Return the summary of all ratings, as in EmoEvaluation/<dialogue>.txt.

    Args:
        timed: The turns of one dialogue.

    Returns:
        A header, then one block a turn: label and mean ratings, each rater's categories,
        a self report, each rater's dimensions. Dominance is left out where it was forgotten.
    """
    blocks = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"]
    for item in timed:
        turn = item.turn
        valence, activation, dominance = (_mean(turn.ratings, index) for index in range(3))
        self_rater = turn.speaker[-1] + "1"
        lines = [
            f"[{item.start_s:.4f} - {item.end_s:.4f}]\t{turn.id}\t{turn.label}\t"
            f"[{valence:.4f}, {activation:.4f}, {dominance:.4f}]",
            *(
                f"C-{rating.rater}:\t{'; '.join(rating.categories)};\t({rating.comment})"
                for rating in turn.ratings
            ),
            f"C-{self_rater}:\tNeutral;\t()",
            *(f"A-{rating.rater}:\t{_dimensions(rating)}\t()" for rating in turn.ratings),
            f"A-{self_rater}:\tval 3; act 3; dom  3;\t()",
        ]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def transcript(timed: Sequence[TimedTurn]) -> str:
    """Return the words, as in transcriptions/<dialogue>.txt.

    Args:
        timed: The turns of one dialogue.

    Returns:
        One line a turn; now and then an overlapping turn that nobody rated (`MXX0`).
    """
    lines = []
    for index, item in enumerate(timed):
        turn = item.turn
        lines.append(f"{turn.id} [{item.start_s:08.4f}-{item.end_s:08.4f}]: {turn.text}")
        if index % 4 == 1:
            name = f"{turn.dialogue}_{'F' if turn.speaker[-1] == 'M' else 'M'}XX{index // 4}"
            lines.append(f"{name} [{item.end_s:08.4f}-{item.end_s + 0.2:08.4f}]: Mmhmm.")
    return "\n".join(lines) + "\n"


def categorical(timed: Sequence[TimedTurn], *, rater: str) -> str:
    """Return one rater's categories, as in EmoEvaluation/Categorical.

    Args:
        timed: The turns of one dialogue.
        rater: `E1` .. `E4`.

    Returns:
        One line a turn that this rater saw.
    """
    return "".join(
        f"{id_} :{'; :'.join(rating.categories)}; ({rating.comment})\n"
        for id_, rating in _ratings(timed, rater)
    )


def attribute(timed: Sequence[TimedTurn], *, rater: str) -> str:
    """Return one rater's dimensions, as in EmoEvaluation/Attribute (in another order).

    Args:
        timed: The turns of one dialogue.
        rater: `E1` .. `E4`.

    Returns:
        One line a turn that this rater saw.
    """
    return "".join(
        f"{id_} :act {rating.dimensions[1]}; :val {rating.dimensions[0]}; "
        f":dom {_known(rating.dimensions[2])}; ()\n"
        for id_, rating in _ratings(timed, rater)
    )


def _ratings(timed: Sequence[TimedTurn], rater: str) -> Iterator[tuple[str, Rating]]:
    """Yield the turns that a rater saw, each with what he or she said of it."""
    for item in timed:
        for rating in item.turn.ratings:
            if rating.rater == rater:
                yield item.turn.id, rating


def self_report(timed: Sequence[TimedTurn]) -> str:
    """Return the actors' own categories, as in EmoEvaluation/Self-evaluation.

    Args:
        timed: The turns of one dialogue.

    Returns:
        One line a turn; a trap for parsers that walk into sub-folders.
    """
    return "".join(f"{item.turn.id} :Neutral state; ()\n" for item in timed)


def _mean(ratings: Sequence[Rating], index: int) -> float:
    """Return the mean of one dimension over the raters who gave it, 3 where none did."""
    values = [float(value) for rating in ratings if (value := rating.dimensions[index]) is not None]
    return fmean(values) if values else 3.0


def _dimensions(rating: Rating) -> str:
    valence, activation, dominance = rating.dimensions
    return f"val {valence}; act {activation}; dom  {_known(dominance)};"


def _known(score: int | None) -> str:
    return "" if score is None else str(score)
