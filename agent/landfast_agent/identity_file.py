"""An enrolled host's identity, as it lies on the disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from landfast.identity import CLOCK_SKEW, Bundle, SpiffeId, certificate_of, spiffe_id_of
from landfast_agent.words import date


@dataclass(frozen=True)
class Identity:
    """What the file `path` held when it was read. Times are seconds of CLOCK_REALTIME."""

    path: Path
    bundle: Bundle
    holder: SpiffeId
    issued: float
    expires: float

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises OSError, or ValueError when it is no identity."""
        bundle = Bundle.read(path)
        if bundle.is_encrypted:
            raise ValueError(f"{path}: its key is encrypted, and nobody is there to type a passphrase; decrypt it")
        certificate = certificate_of(bundle)
        issued = (certificate.not_valid_before_utc + CLOCK_SKEW).timestamp()
        return cls(path, bundle, spiffe_id_of(certificate), issued, certificate.not_valid_after_utc.timestamp())

    @property
    def recovering(self) -> Bundle | None:
        """The identity that may do nothing but renew this one; None when the controller gave none."""
        mine = self.bundle
        return Bundle(mine.key, mine.recovery, mine.authority) if mine.recovery else None

    @property
    def date(self) -> str:
        """When it expires, for people."""
        return date(self.expires)

    def after(self, share: float) -> float:
        """When that share of its life is over."""
        return self.issued + share * (self.expires - self.issued)
