"""Answers questions about passlib.totp, one JSON object a line, for the tests."""
import json
import sys
import warnings

from passlib.exc import InvalidTokenError, MalformedTokenError, UsedTokenError
from passlib.totp import TOTP, AppWallet, generate_secret

warnings.simplefilter("ignore")


def factory(q):
    kwds = {}
    if q.get("secrets"):
        kwds["wallet"] = AppWallet(q["secrets"], default_tag=q.get("tag"), encrypt_cost=q.get("cost"))
    return TOTP.using(**kwds)


def make(q):
    names = ("digits", "alg", "period", "label", "issuer")
    return factory(q)(bytes.fromhex(q["key"]), format="raw", **{n: q[n] for n in names if q.get(n)})


def describe(t):
    return {"key": t.hex_key, "digits": t.digits, "alg": t.alg, "period": t.period, "label": t.label or "",
            "issuer": t.issuer or "", "changed": bool(t.changed)}


def answer(q):
    do = q["do"]
    if do == "new":
        return factory(q).new(alg=q["alg"], digits=q["digits"]).to_json()
    if do == "token":
        t = make(q).generate(q["time"])
        return {"code": t.token, "counter": t.counter, "expiry": t.expire_time, "start": t.start_time}
    if do == "match":
        try:
            m = make(q).match(q["code"], q["time"], window=q["window"], skew=q["skew"], last_counter=q.get("last"))
        except MalformedTokenError:
            return {"error": "malformed"}
        except UsedTokenError as e:
            return {"error": "used", "expiry": e.expire_time}
        except InvalidTokenError:
            return {"error": "invalid"}
        return {"counter": m.counter, "expected": m.expected_counter, "skipped": m.skipped, "expiry": m.expire_time,
                "remember": m.cache_time}
    if do == "to_json":
        return make(q).to_json()
    if do == "to_uri":
        return make(q).to_uri()
    if do == "from":
        try:
            return describe(factory(q).from_source(q["source"]))
        except (ValueError, TypeError, KeyError, AssertionError, NotImplementedError) as e:
            return {"error": type(e).__name__}
    if do == "pretty":
        return [make(q).pretty_key(), make(q).pretty_key("hex", " ")]
    if do == "tag":
        return AppWallet(q["secrets"]).default_tag
    if do == "generate_secret":
        return len(generate_secret(q["bits"]))
    raise ValueError(do)


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
