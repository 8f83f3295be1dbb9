"""A model card filled by code: every number in it comes from the run, none from a hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
import pandas as pd

from ser import markdown, provenance
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.evaluation import slices
from ser.evaluation.summary import CellSummary
from ser.registry.bundle import Bundle
from ser.registry.evidence import Robustness

_TEMPLATE, _ROBUSTNESS = "model_card.md.j2", "robustness.md.j2"
_STEADY, _NEXT = "\n## How steady it is\n", "\n## "


@dataclass(frozen=True, slots=True)
class Facts:
    """What a model card is made of.

    Args:
        bundle: The model.
        scores: Cross-validated test scores of its cell.
        slices: As from `ser.evaluation.slices.table`.
        split: The split report.
        card: The corpus card.
        came_from: Tags of where the weights were trained, see `ser.provenance`.
    """

    bundle: Bundle
    scores: CellSummary
    slices: pd.DataFrame
    split: SplitReport
    card: CorpusCard
    came_from: Mapping[str, str]


def render(facts: Facts) -> str:
    """Return the model card, Markdown.

    Source:
        Mitchell et al. (2019), "Model cards for model reporting", arXiv:1810.03993: its
        sections, as far as they apply.
    """
    shown = facts.slices[facts.slices["slice"] != "speaker"].to_dict("records")
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            bundle=facts.bundle,
            answering=facts.bundle.answering,
            training=facts.bundle.training,
            scores=facts.scores,
            slices=shown,
            gaps=slices.gaps(facts.slices),
            split=facts.split,
            card=facts.card,
            commits=", ".join(provenance.commits_of(facts.came_from)) or "unknown",
            is_of_lock=provenance.COMMIT_OF in facts.came_from,
            came_from=facts.came_from,
            robustness=None,
            changes=(),
        )
    )


def with_robustness(card: str, measured: Robustness) -> str:
    """Return a model card that shows how steady the model is under changes of a recording.

    A card from before there was such a section gets it at its end.

    Args:
        card: From `render`, or from this function.
        measured: What the gates measured.
    """
    changes = dict.fromkeys((*measured.stability, *measured.uar_loss))
    section = _environment().get_template(_ROBUSTNESS).render(robustness=measured, changes=changes)
    before, _, rest = card.partition(_STEADY)
    _, heading, after = rest.partition(_NEXT)
    return f"{before.rstrip()}\n\n{section.strip()}\n" + (f"\n## {after}" if heading else "")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters["percent"] = _percent
    environment.filters |= {"plain": markdown.plain, "code": markdown.code}
    environment.filters["estimate"] = lambda found: (
        f"{_percent(found.value)} [{_percent(found.low)}, {_percent(found.high)}]"
    )
    return environment


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
