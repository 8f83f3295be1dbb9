"""The family of speech transformers: one table says what tells them apart.

A member is a model and a feature of its name at once (`ser.models.speech_transformer`,
`ser.features.extractors.speech_transformer`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Architecture = Literal["data2vec_audio", "hubert", "wav2vec2", "wavlm", "whisper"]


@dataclass(frozen=True, slots=True)
class SpeechTransformer:
    """What is particular to one architecture.

    Args:
        title: As its authors write it.
        source: Who published it, where.
        model_type: Its name in a checkpoint's config.json.
        published: Checkpoint and revision where params name none; None: they must.
        attention: The implementation that transformers has for all its checkpoints and that
            is the fastest of them.
        sizes: What its config.json calls its number of transformer layers, and their width,
            each with what transformers takes where it says nothing.
        is_normalised: Whether a waveform is normalised where the checkpoint does not say:
            the default of transformers' own preprocessing. False says that the architecture
            never normalises, so that its checkpoints need not say it.
    """

    title: str
    source: str
    model_type: str
    published: tuple[str, str] | None
    attention: Literal["sdpa", "eager"] = "sdpa"
    sizes: tuple[tuple[str, int], tuple[str, int]] = (
        ("num_hidden_layers", 12),
        ("hidden_size", 768),
    )
    is_normalised: bool = True


ARCHITECTURES: Mapping[Architecture, SpeechTransformer] = {
    "data2vec_audio": SpeechTransformer(
        title="data2vec audio",
        source=(
            "Baevski et al. (2022), 'data2vec: a general framework for self-supervised learning "
            "in speech, vision and language'"
        ),
        model_type="data2vec-audio",
        # No revision is pinned here: facebook/data2vec-audio-base shows its own under "Files".
        published=None,
    ),
    "hubert": SpeechTransformer(
        title="HuBERT",
        source=(
            "Hsu et al. (2021), 'HuBERT: self-supervised speech representation learning by "
            "masked prediction of hidden units'"
        ),
        model_type="hubert",
        published=("facebook/hubert-base-ls960", "dba3bb02fda4248b6e082697eee756de8fe8aa8a"),
    ),
    "wav2vec2": SpeechTransformer(
        title="wav2vec 2.0",
        source=(
            "Baevski et al. (2020), 'wav2vec 2.0: a framework for self-supervised learning of "
            "speech representations'"
        ),
        model_type="wav2vec2",
        published=("facebook/wav2vec2-base", "0b5b8e868dd84f03fd87d01f9c4ff0f080fecfe8"),
    ),
    "wavlm": SpeechTransformer(
        title="WavLM",
        source=(
            "Chen et al. (2022), 'WavLM: large-scale self-supervised pre-training for full "
            "stack speech processing'"
        ),
        model_type="wavlm",
        published=("microsoft/wavlm-base-plus", "4c66d4806a428f2e922ccfa1a962776e232d487b"),
        # It has no other; ser.pretrained.transformer replaces it.
        attention="eager",
    ),
    "whisper": SpeechTransformer(
        title="Whisper's encoder",
        source=(
            "Radford et al. (2023), 'Robust speech recognition via large-scale weak supervision'"
        ),
        model_type="whisper",
        # No revision is pinned here: openai/whisper-base shows its own under "Files".
        published=None,
        sizes=(("encoder_layers", 4), ("d_model", 384)),
        is_normalised=False,
    ),
}
