"""What a version of a registered model is, and its names; nothing here asks a registry."""

from collections.abc import Mapping
from dataclasses import dataclass

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a registered model.

    Args:
        name: Of the model.
        number: Of the version.
        run_id: MLflow's id of the run that logged it.
        source: MLflow's address of the files.
        tags: Lineage, which its run has, and what became of it.
    """

    name: str
    number: int
    run_id: str
    source: str
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        """MLflow's address of this version, which no alias can change."""
        return f"models:/{self.name}/{self.number}"

    @property
    def title(self) -> str:
        """For people: `version 3 (lstm-focal)`."""
        return f"version {self.number} ({self.tags.get('ser.cell', 'unknown')})"


def model_name(task: str, protocol: str) -> str:
    """Return the registered model of a task and protocol, `ser-<task>-<protocol>`.

    Args:
        task: See `ser.data.task`; of a corpus with the study's four classes its name.
        protocol: Of the split.
    """
    return f"ser-{task}-{protocol}"
