"""A billing group. Spec: AWS IoT developer guide, "Tagging, billing groups"."""

from dataclasses import dataclass, replace

from hedgerow.services.iot.errors import VersionConflict


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingGroup:
    """One billing group. Times in seconds since the epoch."""

    name: str
    id: str
    description: str | None
    version: int
    created_at: float

    def changed(self, *, description: str | None, expected: int | None) -> "BillingGroup":
        """Answer the next version; raise VersionConflict when the caller expected another."""
        self.expect(expected)
        return replace(self, description=description, version=self.version + 1)

    def expect(self, version: int | None) -> None:
        """Raise VersionConflict unless this is the version that the caller expects (None: any)."""
        if version is not None and version != self.version:
            raise VersionConflict(f"billing group {self.name}", expected=version, version=self.version)
