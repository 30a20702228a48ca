"""Checks SD-JWTs with the reference implementation of RFC 9901 in Python (sd-jwt, on jwcrypto).

    [{"sdJwt": "eyJ…~WyJ…~", "jwk": {"kty": "OKP", …}}, …]     on standard input
    [{"claims": {…}}, {"error": "InvalidJWSSignature"}, …]      on standard output, one for each

The signature is verified by the JWK, whatever algorithm of its kind the header names. A refusal is told by the name of
the exception alone.
"""

import json
import sys

from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier


def check(sd_jwt, jwk):
    key = JWK(**jwk)
    try:
        verifier = SDJWTVerifier(sd_jwt, lambda issuer, header: key)
        return {"claims": verifier.get_verified_payload()}
    except Exception as error:
        return {"error": type(error).__name__}


def main():
    cases = json.load(sys.stdin)
    json.dump([check(case["sdJwt"], case["jwk"]) for case in cases], sys.stdout)


if __name__ == "__main__":
    main()
