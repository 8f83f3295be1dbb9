"""A handful of synthetic recordings and the table that describes them, for the csv corpus."""

import csv

import numpy as np
import soundfile

from ser.emotion import EMOTIONS

SAMPLING_RATE = 16000


def tone(emotion, speaker, number):
    """A buzz whose pitch tells the emotion, with a little noise; three quarters of a second."""
    rng = np.random.default_rng([EMOTIONS.index(emotion), speaker, number])
    time = np.arange(int(0.75 * SAMPLING_RATE)) / SAMPLING_RATE
    pitch_hz = 120 * (1 + 0.5 * EMOTIONS.index(emotion)) * (1 + 0.05 * speaker)
    harmonics = sum(np.sin(2 * np.pi * pitch_hz * k * time) / k for k in range(1, 6))
    return 0.1 * harmonics + 0.01 * rng.normal(size=len(time))


def write_corpus(root, *, num_sessions=3, per_emotion=1):
    """Write wavs and utterances.csv: a woman and a man in every session."""
    root.mkdir(parents=True)
    rows = []
    for session in range(1, num_sessions + 1):
        for gender in ("female", "male"):
            speaker = f"s{session}{gender[0]}"
            for emotion in EMOTIONS:
                for number in range(per_emotion):
                    path = f"{speaker}_{emotion}_{number}.wav"
                    waveform = tone(emotion, 2 * session + (gender == "male"), number)
                    soundfile.write(root / path, waveform, SAMPLING_RATE)
                    rows.append((path, emotion, speaker, gender, f"session{session}"))
    with (root / "utterances.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "speaker", "gender", "session"))
        writer.writerows(rows)


PARAMS = """
corpus: {name: csv, synthetic: true, max_rejected: 0}
split: {protocol: session}
audio: {sampling_rate: 16000}
features: {mfcc: {hop_ms: 20.0}}
models: {lstm: {hidden_size: 8, num_layers: 1, embedding_dim: 8}}
losses: {cross_entropy: {}}
recipes: {lstm: {num_epochs: 1, batch_size: 8}}
training: {seeds: [0], device: cpu}
cells: {lstm-cross_entropy: {model: lstm, loss: cross_entropy, feature: mfcc}}
"""
