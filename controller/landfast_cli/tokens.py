"""Signing keys on PKCS#11 tokens (smart cards, security keys, HSMs): the key never leaves the token.

Such a key is named by a URI (RFC 7512): `pkcs11:token=LABEL;id=%02?module-path=/usr/lib/.../libykcs11.so`. It is
an ECDSA key on P-256. Without `token` there must be one token only; `id` is 2 by default, where PIV keeps the key
for signatures; without `module-path` the library is the one that PYKCS11LIB names.
"""

import os
from functools import cache
from urllib.parse import unquote, unquote_to_bytes

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import HSMSigner, Signer

from landfast_cli import passphrases
from landfast_cli.errors import BadInputError, CliError, CouldNotError

SCHEME = "pkcs11:"

_MODULE = "PYKCS11LIB"
_ATTRIBUTES = {"token", "id", "module-path"}
_EXAMPLE = "write pkcs11:token=LABEL;id=%02?module-path=FILE"


def signer(uri: str) -> Signer:
    """Signs with the key that `uri` names. Asks for the PIN once, when the token wants it.

    Raises BadInputError for what is no URI, CouldNotError without the key.
    """
    attributes = _parsed(uri)
    if module := attributes.get("module-path"):
        os.environ[_MODULE] = unquote(module)  # where securesystemslib looks for it
    key_id = int.from_bytes(unquote_to_bytes(attributes.get("id", "%02")))
    label = unquote(attributes["token"]) if "token" in attributes else None

    @cache
    def pin(_: str) -> str:
        return passphrases.given(f"PIN of {'token ' + label if label else 'the token'}", passphrases.PIN)

    try:
        _, public = HSMSigner.import_(key_id, label, pin)
        return HSMSigner(key_id, public, pin, label)
    except CliError:
        raise
    except UnsupportedLibraryError:
        raise CouldNotError(f"{uri}: python-pkcs11 is missing; install landfast[pkcs11]") from None
    except Exception as error:  # of any PKCS#11 library
        raise CouldNotError(f"{uri}: {str(error) or type(error).__name__}; look at token, module and PIN") from None


def _parsed(uri: str) -> dict[str, str]:
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    pairs = (each.partition("=") for each in filter(None, [*path.split(";"), *query.split("&")]))
    attributes = {name: value for name, _, value in pairs}
    if unknown := sorted(attributes.keys() - _ATTRIBUTES):
        raise BadInputError(f"key {uri}: {unknown[0]} is not understood; {_EXAMPLE}")
    return attributes
