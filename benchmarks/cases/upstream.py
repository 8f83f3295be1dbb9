"""Extraction of a frozen transformer against transformers one by one, and beside openSMILE."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import equality, recordings, timing, upstream
from benchmarks.cases.padding import iemocap_lengths
from benchmarks.measurement import Measurement
from benchmarks.ssl_training import BASE, SAMPLING_RATE, TINY
from benchmarks.upstream import Samples
from ser import components, runtime
from ser.baselines import functionals
from ser.components import EXTRACTORS
from ser.data import audio
from ser.pretrained.whisper_encoder import KEY_MAPPING
from ser.project import Project

_THREADS = 2
#: Allowed difference of summaries, in units of the largest.
_RELATIVE = 1e-4


def run(quick: bool) -> list[Measurement]:
    """Extract summaries of all layers with two threads; openSMILE where it is installed."""
    return [_hubert(quick=quick), *_whisper(quick=quick)]


def _hubert(*, quick: bool) -> Measurement:
    size, threads = TINY if quick else BASE, _num_threads()
    waveforms = upstream.stratified(iemocap_lengths(), 3 if quick else 20)
    ours, theirs = upstream.extractor(size), upstream.published(size)

    def one_by_one() -> list[np.ndarray[Any, Any]]:
        return [upstream.summaries(theirs, torch.from_numpy(w)[None]).numpy() for w in waveforms]

    with timing.torch_threads(threads):
        what = "summaries of a HuBERT"
        pairs = zip((ours(waveform) for waveform in waveforms), one_by_one(), strict=True)
        equality.require_close(pairs, what=what, relative=_RELATIVE)
        taken = timing.alternate(
            partial(upstream.in_threads, ours, waveforms, threads=threads),
            one_by_one,
            repeats=1 if quick else 3,
        )
    model = "tiny model, a quick look" if quick else "HuBERT base size, random weights"
    return _row(
        f"extraction, all layers ({model}; IEMOCAP's durations)",
        waveforms,
        taken,
        alternative="transformers' own model, one utterance at a time, the threads within it",
    )


def _whisper(*, quick: bool) -> list[Measurement]:
    corpus, threads = recordings.load(quick=quick), _num_threads()
    chosen = corpus.utterances[:: max(1, len(corpus.utterances) // (4 if quick else 40))]
    waveforms = [audio.read(corpus.root / u.audio, sampling_rate=SAMPLING_RATE) for u in chosen]
    weights = Project(Path(__file__).resolve().parents[2]).checkpoint("whisper-tiny.en")
    module = components.load(EXTRACTORS, "whisper")
    own, filled = (
        module.build(
            module.Params(checkpoint=str(weights), freeze="all", context=context, device="cpu"),
            sampling_rate=SAMPLING_RATE,
        )
        for context in ("own", "30s")
    )
    published = _PublishedWhisper(weights)
    contenders: dict[str, Callable[[], object]] = {
        "transformers' own encoder, one utterance at a time, each filled up to 30 s": lambda: [
            published(waveform) for waveform in waveforms
        ],
    }
    if functionals.installed():
        smile = functionals.extractor("egemaps", sampling_rate=SAMPLING_RATE)
        contenders["openSMILE's eGeMAPS (another feature, a yardstick), one thread"] = lambda: [
            smile(waveform) for waveform in waveforms
        ]
    with timing.torch_threads(threads):
        # What is timed hears no silence, which transformers cannot leave out; filled up as there,
        # it must be the same.
        pairs = ((filled(w)[0], published(w, len(w))) for w in waveforms[:3])
        equality.require_close(pairs, what="summaries of Whisper", relative=_RELATIVE)
        taken = timing.alternate(
            partial(upstream.in_threads, own, waveforms, threads=threads),
            *contenders.values(),
            repeats=1 if quick else 3,
        )
    name = f"extraction, all layers (Whisper tiny.en, context: own; {corpus.name})"
    return [
        _row(name, waveforms, [taken[0], seconds], alternative=alternative)
        for alternative, seconds in zip(contenders, taken[1:], strict=True)
    ]


class _PublishedWhisper:
    """Waveform -> summary of all layers, by transformers' feature extractor and encoder.

    Args:
        folder: Of the checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import WhisperFeatureExtractor
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        self._prepare: Any = WhisperFeatureExtractor.from_pretrained(folder)
        self._encoder: Any = WhisperEncoder.from_pretrained(
            folder, dtype=torch.float32, key_mapping=KEY_MAPPING
        ).eval()

    @torch.inference_mode()
    def __call__(
        self, waveform: Samples, num_samples: int | None = None
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return `(2 * num_states * d_model,)`, over the frames of so many samples, or of all."""
        heard = self._prepare(waveform, sampling_rate=SAMPLING_RATE, return_tensors="pt")
        output = self._encoder(heard.input_features, output_hidden_states=True)
        num_frames = None if num_samples is None else max(1, (num_samples + 160) // 320)
        parts = []
        for state in output.hidden_states:
            frames = state[0, :num_frames]
            parts += [frames.mean(0), frames.std(0, correction=0)]
        summary: np.ndarray[Any, np.dtype[np.float32]] = torch.cat(parts).numpy()
        return summary


def _row(
    name: str, waveforms: Sequence[Samples], taken: Sequence[float], *, alternative: str
) -> Measurement:
    seconds = sum(len(waveform) for waveform in waveforms) / SAMPLING_RATE
    return Measurement(
        name=name,
        value=seconds / taken[0],
        unit="seconds of audio per second",
        better="higher",
        alternative=alternative,
        alternative_value=seconds / taken[1],
        threads=_num_threads(),
    )


def _num_threads() -> int:
    return min(_THREADS, runtime.num_processors())
