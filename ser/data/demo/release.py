"""Write the demo corpus as an IEMOCAP-shaped tree, with everything that makes that tree hard."""

import io
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from ser import files
from ser.data.corpora.demo import Params
from ser.data.demo import labels, plan, voice
from ser.data.demo.delivery import cast_speaker, deliver
from ser.data.demo.labels import TimedTurn
from ser.data.demo.plan import PlannedTurn
from ser.errors import CorpusError
from ser.progress import Progress

#: Lies in the root of every tree that this module wrote, with the params it had.
MARKER = "demo_corpus.json"

#: How macOS marks the twin it leaves beside a file on foreign disks: an AppleDouble header.
_APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \xff\xfe\xb0"

#: Keeps the draws of voices apart from those of the plan and of the speakers.
_VOICES = 1_000_000

#: A turn -> its samples `(num_samples,)`, and the pause before it in seconds.
Speak = Callable[[PlannedTurn], tuple[npt.NDArray[np.int16], float]]

_README = """\
SYNTHETIC SPEECH. Nobody spoke these sentences.

This folder has the shape of the IEMOCAP release, so that everything that reads IEMOCAP can
be tried without its licence. Voices, words, labels and ratings are made by a program; what
is measured on them shows that the machinery works and says nothing about human emotion.
"""


def generate(root: Path, params: Params, progress: Progress | None = None) -> None:
    """Write the demo corpus; the folder appears complete or not at all.

    Args:
        root: The folder to make. An earlier demo corpus there is replaced; an empty folder
            is used.
        params: What to generate.
        progress: Wraps the utterances as they are synthesised, e.g. `tqdm`; None shows
            nothing.

    Raises:
        CorpusError: The root holds something that this function did not write.
    """
    _refuse_foreign(root)
    with files.replacing_folder(root) as part:
        _write_tree(part, params, progress)


def _refuse_foreign(root: Path) -> None:
    """Raise CorpusError unless the root is absent, empty, or an earlier demo corpus."""
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        raise CorpusError(f"{root}: is a link or a file; the demo corpus needs a folder of its own")
    if root.is_dir() and any(root.iterdir()) and not (root / MARKER).is_file():
        raise CorpusError(
            f"{root}: holds files that are not a demo corpus (there is no {MARKER}); "
            "name an empty or absent folder"
        )


def _write_tree(root: Path, params: Params, progress: Progress | None) -> None:
    turns = plan.build(seed=params.seed, utterances_per_session=params.utterances_per_session)
    positions = {turn.id: index for index, turn in enumerate(turns)}

    def speak(turn: PlannedTurn) -> tuple[npt.NDArray[np.int16], float]:
        rng = np.random.default_rng((params.seed, _VOICES, positions[turn.id]))
        return _speak(turn, params, rng), float(rng.uniform(0.2, 1.2))

    write_sessions(root, (progress or iter)(turns), speak, sampling_rate=params.sampling_rate)
    settings = params.model_dump(include=set(Params.__annotations__))
    files.write_json(root / MARKER, settings, sort_keys=True)
    _write_bytes(root / "README.txt", _README.encode())
    _write_bytes(root / "Documentation/corpus.dic", b"SYNTHETIC\n")


def write_sessions(
    root: Path, turns: Iterable[PlannedTurn], speak: Speak, *, sampling_rate: int
) -> None:
    """Write recordings, labels, words and what else lies in the folders of an IEMOCAP release.

    Args:
        root: The release's folder.
        turns: In order of dialogue and time.
        speak: What each sounds like.
        sampling_rate: Of the recordings, in Hz.
    """
    for dialogue, members in groupby(turns, key=lambda turn: turn.dialogue):
        timed: list[TimedTurn] = []
        end_s = 1.5
        for turn in members:
            waveform, pause_s = speak(turn)
            path = root / f"Session{turn.session}/sentences/wav/{dialogue}/{turn.id}.wav"
            _write_wav(path, waveform, sampling_rate)
            start_s = end_s + pause_s
            end_s = start_s + len(waveform) / sampling_rate
            timed.append(TimedTurn(turn, start_s, end_s))
        session = root / f"Session{timed[0].turn.session}"
        _write_dialogue(session, dialogue, timed)
        nothing = np.zeros((160, 2), dtype=np.int16)  # whole dialogues are not read by anyone
        _write_wav(session / f"dialog/wav/{dialogue}.wav", nothing, sampling_rate)


def _speak(turn: PlannedTurn, params: Params, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Return the samples of one turn, (num_samples,)."""
    speaker = cast_speaker(turn.speaker, seed=params.seed)
    delivery = deliver(
        turn.label,
        speaker,
        strength=turn.strength,
        distinctness=params.distinctness,
        rng=rng,
    )
    return voice.synthesise(
        turn.text, speaker, delivery, sampling_rate=params.sampling_rate, rng=rng
    )


def _write_dialogue(session: Path, dialogue: str, timed: list[TimedTurn]) -> None:
    """Write what belongs to one dialogue beside its sentences: labels, words and junk."""
    evaluation = session / "dialog/EmoEvaluation"
    texts = {
        evaluation / f"{dialogue}.txt": labels.evaluation(timed),
        session / f"dialog/transcriptions/{dialogue}.txt": labels.transcript(timed),
        evaluation / f"Self-evaluation/{dialogue}_f1_cat.txt": labels.self_report(timed),
    }
    for rater in sorted({rating.rater for item in timed for rating in item.turn.ratings}):
        name = f"{dialogue}_{rater.lower()}"
        texts[evaluation / f"Categorical/{name}_cat.txt"] = labels.categorical(timed, rater=rater)
        texts[evaluation / f"Attribute/{name}_atr.txt"] = labels.attribute(timed, rater=rater)
    for path, text in texts.items():
        _write_bytes(path, text.encode())
    for folder in (
        evaluation,
        session / "dialog/transcriptions",
        session / "dialog/avi/DivX",
        session / f"sentences/wav/{dialogue}",
    ):
        suffix = ".wav" if folder.name == dialogue else ".txt"
        _write_bytes(folder / f"._{dialogue}{suffix}", _APPLE_DOUBLE)
    _write_bytes(session / f"dialog/avi/DivX/{dialogue}.avi", b"no picture\n")
    _write_bytes(session / f"dialog/MOCAP_head/{dialogue}.txt", b"no markers\n")


def _write_wav(path: Path, waveform: npt.NDArray[np.int16], sampling_rate: int) -> None:
    # libsndfile does not say why it could not write, e.g. that the disk is full; Python does.
    content = io.BytesIO()
    soundfile.write(content, waveform, sampling_rate, subtype="PCM_16", format="WAV")
    _write_bytes(path, content.getvalue())


def _write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
