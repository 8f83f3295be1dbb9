"""The section `baselines` of params.yaml."""

from typing import Literal

from pydantic import Field, PositiveFloat, field_validator

from ser.params import Section

#: Names in params.yaml.
FunctionalSetName = Literal["egemaps", "compare"]


class BaselineParams(Section):
    """The reference rows that need no network.

    Args:
        feature: The feature whose statistics the linear SVM reads.
        functionals: Sets of openSMILE's functionals, of which each has a linear SVM too:
            `egemaps` (eGeMAPSv02) and `compare` (ComParE 2016). Without the package
            opensmile these rows are absent, and the report says so.
        c_grid: Values of the SVMs' C, of which the dev part chooses one in every fold;
            above zero.
    """

    feature: str = Field("mfcc", min_length=1)
    functionals: tuple[FunctionalSetName, ...] = ("egemaps", "compare")
    c_grid: tuple[PositiveFloat, ...] = Field((0.001, 0.01, 0.1, 1.0), min_length=1)

    @field_validator("functionals")
    @classmethod
    def _each_once(cls, names: tuple[FunctionalSetName, ...]) -> tuple[FunctionalSetName, ...]:
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{twice[0]} stands twice")
        return names

    @property
    def sets(self) -> dict[str, FunctionalSetName]:
        """Name of a row -> the set of functionals that it reads."""
        return {f"{name}_svm": name for name in self.functionals}
