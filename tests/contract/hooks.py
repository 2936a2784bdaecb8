"""What a request that fits the document must also be to mean something, where a schema has no words for it."""

import hashlib

import schemathesis
from schemathesis import GenerationMode

KEY = "Idempotency-Key"
# The discard port of this machine, where nothing listens.
NOBODY = "http://127.0.0.1:9/"


@schemathesis.hook
def before_call(context, case, kwargs):
    # The hub calls every webhook that is made, and the hosts of made-up URLs may exist.
    if case.operation.path.startswith("/api/v1/webhooks") and isinstance(case.body, dict):
        url = case.body.get("url")
        if isinstance(url, str) and url.strip().lower().startswith("http"):
            case.body["url"] = NOBODY
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    # Only the hub makes cursors.
    if case.query:
        case.query.pop("cursor", None)
    # One key for one body: with another it is refused, with the same it is answered as before.
    if case.headers and case.headers.get(KEY) is not None:
        case.headers[KEY] = hashlib.sha256(repr(case.body).encode("utf-8", "surrogatepass")).hexdigest()
