"""The source of the notebook ask_and_read.ipynb; `ser api-page` writes it, a test runs this."""

# %% [markdown]
# # Ask a model, read a project
#
# Start Jupyter in the root of a project that has run (`make repro`) and has a champion (`ser
# register <model>-<loss>`, `ser promote`), or set `ROOT` to that folder.

# %%
from pathlib import Path

import soundfile

import ser

ROOT = Path()

# %% [markdown]
# ## The folds
#
# One row per fold, part and utterance. No speaker is on both sides of a fold.

# %%
folds = ser.read_folds(root=ROOT)
print(folds.groupby(["fold", "part"], observed=True).size().unstack())

# %% [markdown]
# ## What a cell predicted
#
# The share of right answers per speaker, of the test parts.

# %%
cell = min(path.name for path in (ROOT / "runs").iterdir())
predictions = ser.read_predictions(cell, root=ROOT)
test = predictions[predictions["part"] == "test"]
speakers = folds[["utterance_id", "speaker"]].drop_duplicates()
right = test.assign(right=test["truth"] == test["prediction"]).merge(speakers, on="utterance_id")
print(cell, right.groupby("speaker")["right"].mean(), sep="\n")

# %% [markdown]
# ## Ask the champion about recordings
#
# A list is answered in its order, and becomes a table.

# %%
model = ser.load(root=ROOT)
print(model)
paths = folds.loc[folds["part"] == "test", "audio"].head(4).tolist()
answers = model.predict(paths)
print(answers.to_frame()[["source", "emotion", "reason", "model", "version", "synthetic"]])

# %% [markdown]
# ## Ask about samples
#
# Channels come first, so the table that `soundfile` reads is transposed. A long recording is heard
# in windows; each has its times and probabilities.

# %%
samples, sampling_rate = soundfile.read(paths[0], always_2d=True)
answer = model.predict(samples.T, sampling_rate=sampling_rate)
print(answer.emotion, answer.probabilities)
print(answer.to_frame(windows=True)[["start_s", "end_s", "emotion"]])
