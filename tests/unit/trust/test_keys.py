"""Public keys as people read them."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from landfast.trust import keys
from landfast.trust.errors import TrustError


@pytest.mark.parametrize(
    ("key", "digits"),
    [
        (CryptoSigner.generate_ed25519().public_key, 64),
        (SSlibKey.from_crypto(ec.generate_private_key(ec.SECP256R1()).public_key()), 66),
    ],
)
def test_a_public_key_in_digits_is_the_same_key(key: Key, digits: int) -> None:
    text = keys.public_text(key)
    assert len(text) == digits
    assert keys.from_public_text(text) == key


@pytest.mark.parametrize("text", ["", "5c1f", "zz" * 32, "04" + "00" * 32, "02" * 64])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(TrustError, match="no public key"):
        keys.from_public_text(text)
