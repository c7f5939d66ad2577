"""Certificates made by the stock `openssl` command, as users make them."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CA = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path

    @property
    def pem(self) -> str:
        """The certificate."""
        return self.certificate.read_text("ascii")


class OpenSsl:
    """Runs `openssl` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def run(self, *arguments: str | Path) -> str:
        command = ["openssl", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ca(self, subject: str = "/O=Acme/CN=Acme CA", *more: str) -> Pair:
        """Make a self-signed CA."""
        pair = self._pair()
        self.run(*_request(subject), "-x509", *_files(pair), *(more or _CA))
        return pair

    def alone(self, subject: str = "/CN=lamp") -> Pair:
        """Make a self-signed certificate that is no CA."""
        return self.ca(subject, "-addext", "basicConstraints=critical,CA:FALSE")

    def signed(self, ca: Pair, subject: str, *more: str) -> Pair:
        """Make a key and a certificate that the CA signed."""
        pair = self._pair()
        request = pair.certificate.with_suffix(".csr")
        self.run(*_request(subject), "-keyout", pair.key, "-out", request)
        signer: list[str | Path] = ["-CA", ca.certificate, "-CAkey", ca.key, "-CAcreateserial", "-days", "3650"]
        self.run("x509", "-req", "-in", request, *signer, *more, "-out", pair.certificate)
        return pair

    def _pair(self) -> Pair:
        self._count += 1
        return Pair(self.folder / f"{self._count}.pem", self.folder / f"{self._count}.key")


def _request(subject: str) -> list[str]:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    return ["req", *key, "-utf8", "-subj", subject]


def _files(pair: Pair) -> list[str]:
    return ["-keyout", str(pair.key), "-out", str(pair.certificate), "-days", "3650"]
