"""The page of the searches: Optuna's figures of every tuned cell and fold, beside the report."""

from ser import files
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.project import Project
from ser.report import html
from ser.report.footer import SYNTHETIC_NOTICE, footer_of
from ser.report.tuning import Tuning


def write(project: Project, tuning: Tuning, card: CorpusCard, split: SplitReport) -> None:
    """Write `reports/tuning.html`, self-contained as the report is.

    It is a page of its own because it grows with cells times folds, and answers no question of
    the report's.

    Args:
        project: Where it goes.
        tuning: The tuned cells; where there are none, the page says so.
        card: The corpus card.
        split: The split report.

    Raises:
        FileError: A figure is damaged.
    """
    page = html.environment().get_template("tuning.html.j2")
    shown = page.render(
        tuning=tuning,
        footer=footer_of(card, split),
        synthetic_notice=SYNTHETIC_NOTICE if card.synthetic else "",
        report_page=project.page.name,
    )
    files.write_text(project.tuning_page, shown)
