"""The rows of openSMILE's functionals: which were asked for, and what computed them."""

from typing import ClassVar

from ser.files import JsonArtefact

#: After the names of rows that are absent.
WHY_ABSENT = (
    "left out, as the package opensmile is not installed; nothing failed. Its licence allows "
    "research, and no use in products. To add the rows, run "
    "`.venv/bin/pip install -c constraints.txt -e '.[opensmile]'`, "
    '`export PATH="$PWD/.venv/bin:$PATH"`, `dvc repro --force --single-item baselines` and '
    "`make repro`"
)


class FunctionalRows(JsonArtefact):
    """The content of reports/functionals.json, beside the rows in reports/baselines.csv.

    Args:
        asked: Names of the rows that params.yaml asks for.
        opensmile: Version of the package that computed their inputs; None where it was not
            installed or nothing was asked for.
    """

    what: ClassVar[str] = "what is known of the functionals"
    cure: ClassVar[str] = "`dvc repro baselines` makes it"

    asked: tuple[str, ...]
    opensmile: str | None

    @property
    def present(self) -> tuple[str, ...]:
        """The rows that were computed."""
        return () if self.opensmile is None else self.asked

    @property
    def absent(self) -> tuple[str, ...]:
        """The rows that were asked for and could not be computed."""
        return self.asked if self.opensmile is None else ()
