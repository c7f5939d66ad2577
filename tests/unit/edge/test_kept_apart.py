"""A device whose own key or certificate would be put where another file is."""

from pathlib import Path

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.edge.configuration import read
from tests.unit.edge.test_configuration import FULL, TOKEN, VENDED

IN_A_TOKEN = FULL.replace("/secrets/claim.key", "pkcs11:object=claim;type=private") + TOKEN
CLAIM_KEY = "      privateKeyPath: "


def placed(**paths: str) -> str:
    return FULL + "".join(f"      {name}: {path}\n" for name, path in paths.items())


@pytest.mark.spec("BS-03", "AL-50")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (placed(privateKeyPath="/secrets/claim.key"), "privateKeyPath and claimCertificatePrivateKeyPath are the same"),
        (placed(privateKeyPath="/x/../secrets/claim.key"), "privateKeyPath and claimCertificatePrivateKeyPath are"),
        (placed(csrPath="a.csr", csrPrivateKeyPath="/secrets/claim.key"), "csrPrivateKeyPath and claimCertificatePriv"),
        (placed(certificatePath="claim/claim.pem"), "certificatePath and claimCertificatePath are the same"),
        (placed(certificatePath="claim/ca.pem"), "certificatePath and rootCaPath are the same"),
        (placed(certificatePath="privKey.key"), "privateKeyPath and certificatePath are the same, /gg/privKey.key"),
        (
            IN_A_TOKEN.replace("rootPath: /gg", "privateKeyPath: pkcs11:object=claim"),
            "privateKeyPath and claimCertificatePrivateKeyPath are the same, pkcs11:object=claim;type=private",
        ),
        (VENDED.replace("token: printed", "tokenPath: t, certificatePath: t"), "certificatePath and tokenPath are the"),
    ],
)
def test_two_files_in_one_place_are_refused(text: str, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        read(text, root=Path("/gg"))


def test_a_claim_in_one_file_and_a_key_made_before_are_no_clash() -> None:
    one_file = FULL.replace("claim/claim.pem", "/secrets/claim.key")

    assert read(one_file, root=Path("/gg")).claim
    assert read(placed(csrPath="a.csr", csrPrivateKeyPath="privKey.key"), root=Path("/gg")).claim
    both = read(placed(csrPath="a.csr", csrPrivateKeyPath="a.key", privateKeyPath="b.key"), root=Path("/gg"))
    assert [warning.rpartition(".")[2] for warning in both.warnings] == ["privateKeyPath has no effect on this edge"]
