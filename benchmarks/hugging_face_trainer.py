"""Steps of the Hugging Face Trainer, timed one by one, with room for others between them."""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Inputs = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class InTurn:
    """Batches for the Trainer; others take their turn before each of them.

    Args:
        batches: What the model is called with.
        before: Called with the number of the batch, outside of the time that is taken.
    """

    batches: Sequence[Inputs]
    before: Callable[[int], None]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Inputs]:
        for turn, batch in enumerate(self.batches):
            self.before(turn)
            gc.collect()
            yield batch


def train(
    model: nn.Module,
    batches: InTurn,
    taken: Callable[[float], object],
    *,
    learning_rate: float,
    on_gpu: bool = False,
    is_half: bool = False,
) -> None:
    """Train with the Trainer and tell what every step took.

    Its settings are its own but for the learning rate: AdamW, gradients clipped at 1,
    linear decay; nothing is saved or reported.

    Args:
        model: A transformers model; trained in place.
        batches: In order.
        taken: Called with the seconds of each batch: forward, backward and optimiser step.
        learning_rate: Of AdamW.
        on_gpu: Whether on the first GPU, to which the Trainer moves the batches.
        is_half: Whether the forward pass is in bfloat16.
    """
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Clock(TrainerCallback):
        start = 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.start = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            if on_gpu:
                torch.cuda.synchronize()
            taken(time.perf_counter() - self.start)

    class OrderedTrainer(Trainer):
        def get_train_dataloader(self) -> Any:
            return batches

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            learning_rate=learning_rate,
            use_cpu=not on_gpu,
            bf16=is_half,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        OrderedTrainer(model, arguments, train_dataset=batches, callbacks=[Clock()]).train()
