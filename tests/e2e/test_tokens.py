# SPDX-License-Identifier: BSD-3-Clause
"""Tokens that PyJWT has signed, as passwords of Paho's clients."""

import os
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lib.broker import serve
from lib.claims import claim, same
from lib.client import V5, V311, Client

SECRET = b"a secret of at least thirty-two bytes"
REFUSED = {V311: 4, V5: 0x86}


def file(t, name, text, mode=0o600):
    path = os.path.join(t.folder, t.name(name))
    with open(path, "wb") as out:
        out.write(text)
    os.chmod(path, mode)
    return path


def pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def claims(**more):
    return {"sub": "ann", "exp": int(time.time()) + 600, **more}


def code(t, broker, version, token, name="c"):
    c = Client(t, name, version, broker=broker, login=("anybody", token))
    got = c.try_open()
    if got == 0:
        c.close()
    return got


@claim(cores=(0,), version=(V311, V5))
def secret_of_ours_lets_in_and_no_other(t, version):
    broker = serve(t, f"jwt.secret_file={file(t, 'secret', SECRET)}")
    now = int(time.time())
    good = jwt.encode(claims(), SECRET, algorithm="HS256")
    refused = [jwt.encode(claims(), b"x" * 40, algorithm="HS256"),
               jwt.encode(claims(), SECRET, algorithm="HS512"),
               jwt.encode(claims(), None, algorithm="none"),
               jwt.encode(claims(exp=now - 600), SECRET, algorithm="HS256"),
               jwt.encode(claims(nbf=now + 600), SECRET, algorithm="HS256"),
               jwt.encode({"sub": "ann"}, SECRET, algorithm="HS256"),
               jwt.encode(claims(acl="all"), SECRET, algorithm="HS256"),
               good[:-1], good + "A", "password"]
    same("the good one", code(t, broker, version, good), 0)
    for i, token in enumerate(refused):
        same(f"token {i}", code(t, broker, version, token), REFUSED[version])


@claim(cores=(0,), kind=("RS256", "ES256"))
def public_key_lets_in_whom_its_owner_signed_for(t, kind):
    key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) if kind == "RS256"
           else ec.generate_private_key(ec.SECP256R1()))
    broker = serve(t, f"jwt.key_file={file(t, 'key.pem', pem(key), 0o644)}", "jwt.issuer=us",
                   "jwt.audience=pinion", "jwt.client_claim=cid")
    ours = {"iss": "us", "aud": ["x", "pinion"], "cid": t.name("c")}
    same("ours", code(t, broker, V5, jwt.encode(claims(**ours), key, algorithm=kind)), 0)
    for name, value in (("iss", "them"), ("aud", "them"), ("cid", "them")):
        token = jwt.encode(claims(**{**ours, name: value}), key, algorithm=kind)
        same(name, code(t, broker, V5, token), 0x86)


@claim(cores=(0,))
def rules_in_a_token_are_all_that_its_bearer_may(t):
    broker = serve(t, f"jwt.secret_file={file(t, 'secret', SECRET)}")
    rules = {"pub": [t.topic("up")], "sub": [t.topic("down")]}
    token = jwt.encode(claims(acl=rules), SECRET, algorithm="HS256")
    free = jwt.encode(claims(), SECRET, algorithm="HS256")
    bound = Client(t, "bound", V5, broker=broker, login=("", token)).open()
    other = Client(t, "other", V5, broker=broker, login=("", free)).open()
    other.subscribe(t.topic("#"), 1)
    same("may not read", bound.subscribe(t.topic("up"), 1), 0x87)
    same("may read", bound.subscribe(t.topic("down"), 1), 1)
    bound.publish(t.topic("down"), b"no", 0)
    bound.publish(t.topic("up"), b"yes", 1)
    same("only what may be written", [m.payload for m in other.wait_heard(1)], [b"yes"])


@claim(cores=(0,), long=True)
def a_token_that_ends_takes_its_bearer_along(t):
    broker = serve(t, f"jwt.secret_file={file(t, 'secret', SECRET)}", "jwt.leeway=0")
    token = jwt.encode(claims(exp=int(time.time()) + 2), SECRET, algorithm="HS256")
    client = Client(t, "short", V5, broker=broker, login=("", token)).open()
    other = Client(t, "long", V5, broker=broker,
                   login=("", jwt.encode(claims(), SECRET, algorithm="HS256"))).open()
    client.wait_lost()
    same("why", client.lost[0], 0xA0) # maximum connect time
    same("the other stays", other.lost, None)
