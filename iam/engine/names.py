"""Names of datasets and tables."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class DatasetName:
    """A dataset. Names of datasets and tables compare case-sensitively."""

    project: str
    dataset: str

    def __str__(self) -> str:
        """As BigQuery's messages have it: p:d"""
        return f"{self.project}:{self.dataset}"

    @property
    def resource(self) -> str:
        """As a condition's `resource.name` has it."""
        return f"projects/{self.project}/datasets/{self.dataset}"


@dataclass(frozen=True, order=True)
class TableName:
    """A table, view, routine or wildcard `prefix*`."""

    project: str
    dataset: str
    table: str

    def __str__(self) -> str:
        """As BigQuery's messages have it: p:d.t"""
        return f"{self.project}:{self.dataset}.{self.table}"

    @property
    def home(self) -> DatasetName:
        return DatasetName(self.project, self.dataset)

    @property
    def short(self) -> str:
        """For people: d.t"""
        return f"{self.dataset}.{self.table}"

    @property
    def resource(self) -> str:
        """As a condition's `resource.name` has it."""
        return f"projects/{self.project}/datasets/{self.dataset}/tables/{self.table}"
