#!/usr/bin/env python3
"""A verifier written from docs/verify.md alone: Python's standard library and the openssl command.

Reads cases from standard input, one JSON object a line, and answers each with a line: {"ok": true}, or
{"ok": false, "reason": "<the step that failed>"}. It shares nothing with the gateway, and must not.
The last line on standard error says how many signatures were checked.
"""
import base64
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

SAFE = 2**53 - 1
MISSING = object()


class Refused(Exception):
    """Carries the name of the step that failed."""


def need(condition, reason):
    if not condition:
        raise Refused(reason)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# Section 1: encodings


def unbase64(text, url=True):
    """The bytes, or None unless the text is their one spelling."""
    if not isinstance(text, str) or not text.isascii():
        return None
    encode = b64url if url else lambda data: base64.b64encode(data).decode()
    try:
        padded = text + "=" * (-len(text) % 4) if url else text
        data = (base64.urlsafe_b64decode if url else base64.b64decode)(padded)
    except ValueError:
        return None
    return data if encode(data) == text else None


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(text):
    """A JSON number as the double that it is; whole ones that a double counts exactly as int."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= SAFE else value


def no_constant(_):
    raise ValueError("not JSON")


def parse(data):
    """JSON out of text, or out of bytes; raises ValueError (of which UnicodeDecodeError is one)."""
    text = data if isinstance(data, str) else data.decode("utf-8")
    return json.loads(text, parse_int=number, parse_float=number, parse_constant=no_constant)


def parse_object(data):
    try:
        value = parse(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_index(value):
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= SAFE


def jcs_number(value):
    """ECMAScript's Number::toString, which RFC 8785 asks for."""
    if isinstance(value, int):
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("no form")
    sign, text = ("-", repr(value)[1:]) if value < 0 else ("", repr(value))
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + ("" if fraction == "0" else fraction)
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.lstrip("0").rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    rest = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def jcs_string(text):
    text.encode("utf-8")  # raises UnicodeEncodeError, a ValueError, at a lone surrogate
    return json.dumps(text, ensure_ascii=False)


def jcs(value):
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return jcs_number(value)
    if isinstance(value, str):
        return jcs_string(value)
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{jcs_string(name)}:{jcs(value[name])}" for name in names) + "}"


# Section 2: keys and signatures

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def ed_add(p, q):
    """RFC 8032, 5.1.4."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def ed_decode(data):
    """RFC 8032, 5.1.3; None when it is no point."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


def ed_encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def ed_table(point):
    """Multiples 1 to 15 of 16^i times the point, so that a product is 64 additions."""
    rows = []
    for _ in range(64):
        row = [(0, 1, 1, 0)]
        for _ in range(15):
            row.append(ed_add(row[-1], point))
        rows.append(row)
        point = ed_add(row[15], point)
    return rows


def ed_times(scalar, table):
    product = (0, 1, 1, 0)
    for row in table:
        product = ed_add(product, row[scalar & 15])
        scalar >>= 4
    return product


BASE = ed_table(ed_decode(bytes.fromhex("58" + "66" * 31)))


@functools.lru_cache(maxsize=64)
def ed_minus_key(public):
    point = ed_decode(public)
    return None if point is None else ed_table((P - point[0], point[1], 1, P - point[3]))


def ed25519(public, data, signature):
    """RFC 8032, 5.1.7, without the cofactor."""
    table = ed_minus_key(public)
    s = int.from_bytes(signature[32:], "little")
    if table is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + data).digest(), "little") % L
    return ed_encode(ed_add(ed_times(s, BASE), ed_times(k, table))) == signature[:32]


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    length = bytes([size]) if size < 128 else bytes([128 + (size.bit_length() + 7) // 8]) + size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + body


def der_integer(data):
    value = int.from_bytes(data, "big")
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


ALGORITHMS = {"ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519"), "PS256": ("RSA", None), "RS256": ("RSA", None)}
IMPLIED = {"EC": "ES256", "OKP": "EdDSA", "RSA": "PS256"}


def algorithm_of(jwk):
    """None for a key that can sign nothing here."""
    alg = jwk.get("alg", IMPLIED.get(jwk.get("kty")))
    alg = "EdDSA" if alg == "Ed25519" else alg
    return alg if alg in ALGORITHMS and ALGORITHMS[alg][0] == jwk.get("kty") else None


def public_key(alg, jwk):
    """SubjectPublicKeyInfo, or None."""
    names = {"EC": ("x", "y"), "OKP": ("x",), "RSA": ("n", "e")}[ALGORITHMS[alg][0]]
    values = [unbase64(jwk.get(name)) for name in names]
    if None in values or (ALGORITHMS[alg][1] not in (None, jwk.get("crv"))):
        return None
    if alg != "PS256" and alg != "RS256" and any(len(value) != 32 for value in values):
        return None
    if alg == "EdDSA":
        return bytes.fromhex("302a300506032b6570032100") + values[0]
    if alg == "ES256":
        return bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + values[0] + values[1]
    rsa = der(0x30, der_integer(values[0]), der_integer(values[1]))
    return der(0x30, bytes.fromhex("300d06092a864886f70d0101010500"), der(3, b"\0", rsa))


def openssl(alg, key, data, signature):
    """One run of the command for one signature."""
    if alg == "ES256":
        signature = der(0x30, der_integer(signature[:32]), der_integer(signature[32:]))
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("key", "data", "signature")]
        for path, content in zip(paths, (key, data, signature)):
            with open(path, "wb") as file:
                file.write(content)
        key_path, data_path, signature_path = paths
        if alg == "EdDSA":
            command = ["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key_path, "-rawin", "-in", data_path, "-sigfile", signature_path]
        else:
            pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if alg == "PS256" else []
            command = ["dgst", "-sha256", "-keyform", "DER", "-verify", key_path, *pss, "-signature", signature_path, data_path]
        return subprocess.run(["openssl", *command], capture_output=True, check=False).returncode == 0


CHECKED = {"here": 0, "openssl": 0}
SAMPLE = 25


@functools.lru_cache(maxsize=None)
def holds(alg, key, data, signature):
    if alg in ("EdDSA", "ES256") and len(signature) != 64:
        return False
    if alg != "EdDSA":
        CHECKED["openssl"] += 1
        return openssl(alg, key, data, signature)
    verdict = ed25519(key[-32:], data, signature)
    if CHECKED["here"] % SAMPLE == 0:
        CHECKED["openssl"] += 1
        if openssl(alg, key, data, signature) != verdict:
            sys.exit("openssl and this program differ about an Ed25519 signature")
    CHECKED["here"] += 1
    return verdict


def signature_holds(jwk, data, signature):
    alg = algorithm_of(jwk)
    key = None if alg is None else public_key(alg, jwk)
    return key is not None and holds(alg, key, data, signature)


def parse_jws(value):
    """(header, payload, signature, signing input) of a compact or flattened JWS, or None."""
    if isinstance(value, dict):
        parts = [value.get(name) for name in ("protected", "payload", "signature")]
    elif isinstance(value, str):
        parts = value.split(".")
    else:
        return None
    data = [unbase64(part) for part in parts]
    if len(parts) != 3 or None in data:
        return None
    header = parse_object(data[0])
    return None if header is None else (header, data[1], data[2], f"{parts[0]}.{parts[1]}".encode())


def check_jws(jws, jwks):
    header, _, signature, signed = jws
    need("crit" not in header and "b64" not in header, "signature")
    kid = header.get("kid")
    jwk = next((key for key in jwks["keys"] if isinstance(kid, str) and key.get("kid") == kid), None)
    need(jwk is not None and algorithm_of(jwk) is not None, "key")
    need(header.get("alg") == algorithm_of(jwk), "signature")
    need(signature_holds(jwk, signed, signature), "signature")


# Section 3: trees


def leaf_hash(data):
    return sha256(b"\0", data)


def node_hash(left, right):
    return sha256(b"\1", left, right)


def included(leaf, index, size, path, root):
    if not (is_index(index) and is_index(size) and 0 <= index < size):
        return False
    if any(len(value) != 32 for value in (leaf, root, *path)):
        return False
    fn, sn, node = index, size - 1, leaf
    for step in path:
        if sn == 0:
            return False
        if fn % 2 == 1 or fn == sn:
            node = node_hash(step, node)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn // 2, sn // 2
        else:
            node = node_hash(node, step)
        fn, sn = fn // 2, sn // 2
    return sn == 0 and node == root


def consistent(old_size, old_root, size, root, path):
    if not (is_index(old_size) and is_index(size) and 0 <= old_size <= size):
        return False
    if any(value is None or len(value) != 32 for value in (old_root, root, *path)):
        return False
    if old_size == size:
        return not path and old_root == root
    if old_size == 0:
        return not path and old_root == sha256()
    if old_size & (old_size - 1) == 0:
        path = [old_root, *path]
    if not path:
        return False
    fn, sn = old_size - 1, size - 1
    while fn % 2 == 1:
        fn, sn = fn // 2, sn // 2
    old = new = path[0]
    for step in path[1:]:
        if sn == 0:
            return False
        if fn % 2 == 1 or fn == sn:
            old, new = node_hash(step, old), node_hash(step, new)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn // 2, sn // 2
        else:
            new = node_hash(new, step)
        fn, sn = fn // 2, sn // 2
    return sn == 0 and old == old_root and new == root


# Sections 4 and 5: filings and receipts

TEXTS = "iss env id office type version filer kind digest leaf receivedAt".split()


def is_statement(value):
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in TEXTS)
        and is_index(value.get("index"))
        and isinstance(value.get("period"), dict)
    )


def office_leaf(entry_id, office, index, received_at, salt, payload):
    commit = b64url(sha256(salt, payload))
    face = {"v": 1, "id": entry_id, "office": office, "index": index, "receivedAt": received_at, "commit": commit}
    return leaf_hash(jcs(face).encode("utf-8"))


def same_content(payload, statement):
    if payload is None:
        return False
    for name in ("type", "filer", "period", "reference", "kind", "supersedes"):
        theirs, ours = payload.get(name, MISSING), statement.get(name, MISSING)
        try:
            if (theirs is MISSING) != (ours is MISSING) or (theirs is not MISSING and jcs(theirs) != jcs(ours)):
                return False
        except ValueError:
            return False  # a lone surrogate: no form
    return all(payload.get(name, MISSING) in (MISSING, statement[name]) for name in ("version", "office"))


def open_receipt(data):
    """(statement, salt, path, leafIndex, treeSize, signature, its payload, root) of a receipt in JSON; or None."""
    receipt = parse_object(data)
    if receipt is None or sorted(receipt) != ["leafIndex", "path", "salt", "signature", "statement", "treeSize"]:
        return None
    statement, index, size = receipt["statement"], receipt["leafIndex"], receipt["treeSize"]
    if not (is_statement(statement) and is_index(index) and is_index(size) and isinstance(receipt["path"], list)):
        return None
    salt, path = unbase64(receipt["salt"]), [unbase64(step) for step in receipt["path"]]
    if salt is None or len(salt) != 16 or any(step is None or len(step) != 32 for step in path):
        return None
    jws = parse_jws(receipt["signature"]) if isinstance(receipt["signature"], str) else None
    signed = None if jws is None else parse_object(jws[1])
    if signed is None or not isinstance(signed.get("iss"), str) or not isinstance(signed.get("at"), str):
        return None
    root = unbase64(signed.get("root"))
    return None if root is None or len(root) != 32 else (statement, salt, path, index, size, jws, signed, root)


def open_signed_statement(text):
    """(statement, JWS) of a receipt as a compact JWS; or None."""
    jws = parse_jws(text)
    statement = parse_object(jws[1]) if jws is not None and jws[0].get("typ") == "receipt+jws" else None
    return (statement, jws) if is_statement(statement) else None


def trimmed(data):
    """Text without the white space around it; or None."""
    try:
        return data.decode("utf-8").strip(" \t\r\n")
    except UnicodeDecodeError:
        return None


def check_content(statement, salt, payload):
    need(b64url(sha256(payload)) == statement["digest"], "digest")
    if salt is not None:
        place = [statement[name] for name in ("id", "office", "index", "receivedAt")]
        try:
            leaf = b64url(office_leaf(*place, salt, payload))
        except ValueError:
            leaf = None
        need(leaf == statement["leaf"], "leaf")
    need(same_content(parse_object(payload), statement), "content")


def verify_receipt(case):
    data, payload = base64.b64decode(case["receipt"]), case.get("payload")
    payload = None if payload is None else base64.b64decode(payload)
    text = trimmed(data)
    need(text is not None, "form")
    if not text.startswith("{"):
        return verify_signed_statement(text, payload, case)
    opened = open_receipt(data)
    need(opened is not None, "form")
    statement, salt, path, index, size, jws, signed, root = opened
    check_jws(jws, case["jwks"])
    need(statement["iss"] == signed["iss"] == case.get("issuer", signed["iss"]), "issuer")
    need(is_index(signed.get("treeSize")) and signed["treeSize"] == size, "tree")
    try:
        leaf = leaf_hash(jcs(statement).encode("utf-8"))
    except ValueError:
        raise Refused("tree") from None
    need(included(leaf, index, size, path, root), "tree")
    need(statement["id"] == f"{statement['office']}.{statement['index']}", "id")
    if payload is not None:
        check_content(statement, salt, payload)


def verify_signed_statement(text, payload, case):
    opened = open_signed_statement(text)
    need(opened is not None, "form")
    statement, jws = opened
    check_jws(jws, case["jwks"])
    need(case.get("issuer", statement["iss"]) == statement["iss"], "issuer")
    need(statement["id"] == f"{statement['office']}.{statement['index']}", "id")
    if payload is not None:
        check_content(statement, None, payload)


def manifest_line(value):
    """(payload, JWS over the manifest) of a line of bulk form B; or None unless the line stands in it."""
    manifest, steps = value.get("manifest"), value.get("path")
    jws = parse_jws(manifest) if isinstance(manifest, str) else None
    payload = unbase64(value.get("payload"))
    if jws is None or payload is None or not isinstance(steps, list):
        return None
    path, claims = [unbase64(step) for step in steps], parse_object(jws[1])
    root = None if claims is None else unbase64(claims.get("root"))
    if root is None or None in path or not included(leaf_hash(payload), value.get("line"), claims.get("count"), path, root):
        return None
    return payload, jws


def verify_content(case):
    """A filing's own bytes; with `receipt`, that they are the receipt's; with `jwks`, that the filer signed them."""
    try:
        text = base64.b64decode(case["content"]).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("form") from None
    value = parse_object(text) if text.startswith("{") else None
    if value is not None and "manifest" in value:
        line = manifest_line(value)
        need(line is not None, "line")
        payload, jws = line
    else:
        jws = parse_jws(value) if text.startswith("{") else parse_jws(text)
        need(jws is not None, "form")
        payload = jws[1]
    if "receipt" in case:
        data = base64.b64decode(case["receipt"])
        opened = trimmed(data) or ""
        if opened.startswith("{"):
            facts = open_receipt(data)
            need(facts is not None, "content")
            check_content(facts[0], facts[1], payload)
        else:
            facts = open_signed_statement(opened)
            need(facts is not None, "content")
            check_content(facts[0], None, payload)
    if "jwks" in case:
        check_jws(jws, case["jwks"])


# Section 6: checkpoints, cosignatures, proofs

ED25519_NOTE, COSIGNATURE_V1 = b"\1", b"\4"


def size_in(text):
    """A size or an index in decimal; or None."""
    return int(text) if re.fullmatch("0|[1-9][0-9]{0,15}", text) and int(text) <= SAFE else None


def hash_in(text):
    """32 bytes in base64; or None."""
    value = unbase64(text, url=False)
    return value if value is not None and len(value) == 32 else None


def split_note(data):
    """(text, [(name, key id, signature)]) of a signed note; or None."""
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    units = len(note.encode("utf-16-le")) // 2
    if units > 65536 or re.search("[\0-\x09\x0b-\x1f]", note) or not note.endswith("\n"):
        return None
    text, gap, rest = note.rpartition("\n\n")
    lines = rest[:-1].split("\n")
    if gap == "" or len(lines) > 32:
        return None
    signatures = []
    for line in lines:
        match = re.fullmatch("— ([^+]+) ([A-Za-z0-9+/]+={0,2})", line)
        value = None if match is None else unbase64(match[2], url=False)
        if value is None or len(value) <= 4 or any(character.isspace() for character in match[1]):
            return None
        signatures.append((match[1], value[:4], value[4:]))
    return text + "\n", signatures


def keys_named(jwks, name, kind, key_id):
    """The Ed25519 keys that a signature line may mean."""
    for jwk in jwks["keys"]:
        public = unbase64(jwk.get("x")) if jwk.get("crv") == "Ed25519" else None
        if public is not None and len(public) == 32 and sha256(name.encode("utf-8"), b"\n", kind, public)[:4] == key_id:
            yield jwk


def signed_text(data, jwks, origin):
    """The text that the gateway signed as `origin`; or None."""
    note = split_note(data)
    if note is None:
        return None
    text, signatures = note
    found = False
    for name, key_id, signature in signatures:
        for jwk in keys_named(jwks, name, ED25519_NOTE, key_id) if name == origin else ():
            if not signature_holds(jwk, text.encode("utf-8"), signature):
                return None
            found = True
    return text if found else None


def parse_head(text):
    """(origin, size, root, [(kept, lost, lost root)]) of a checkpoint's text; or None."""
    lines = text.split("\n")
    if lines.pop() != "" or len(lines) < 3 or "" in lines:
        return None
    size, root = size_in(lines[1]), hash_in(lines[2])
    recoveries = []
    for line in lines[3:]:
        if line.startswith("recovered "):
            words = line.split(" ")
            if len(words) != 4 or size_in(words[1]) is None or size_in(words[2]) is None or hash_in(words[3]) is None:
                return None
            recoveries.append((size_in(words[1]), size_in(words[2]), hash_in(words[3])))
    return None if size is None or root is None else (lines[0], size, root, recoveries)


def cosigned(data, origin, jwks):
    """Whether one of the keys cosigned a note, and none of them wrongly."""
    text, signatures = split_note(data)
    name, found = f"{origin}/cosigner", False
    for line_name, key_id, signature in signatures:
        for jwk in keys_named(jwks, name, COSIGNATURE_V1, key_id) if line_name == name else ():
            time = int.from_bytes(signature[:8], "big")
            message = f"cosignature/v1\ntime {time}\n{text}".encode("utf-8")
            if len(signature) != 72 or time > SAFE or not signature_holds(jwk, message, signature[8:]):
                return False
            found = True
    return found


def open_checkpoint(data, jwks, origin, cosigners=None):
    """(size, root, recoveries) of a checkpoint."""
    text = signed_text(data, jwks, origin)
    need(text is not None, "signature")
    head = parse_head(text)
    need(head is not None, "form")
    need(head[0] == origin, "origin")
    need(cosigners is None or cosigned(data, origin, cosigners), "cosignature")
    return head[1:]


def verify_checkpoint(case):
    origin, jwks = case["origin"], case["jwks"]
    size, root, recoveries = open_checkpoint(base64.b64decode(case["note"]), jwks, origin, case.get("cosigners"))
    if "older" not in case:
        return
    text = signed_text(base64.b64decode(case["older"]["note"]), jwks, origin)
    old = None if text is None else parse_head(text)
    need(old is not None and old[0] == origin, "older")
    path = [unbase64(step) for step in case["older"]["path"]]
    if not consistent(old[1], old[2], size, root, path):
        later = recoveries[len(old[3]):]
        need(not any(kept < old[1] <= lost for kept, lost, _ in later), "recovered")
        raise Refused("consistency")


def parse_proof(data):
    """(extra or None, index, path, checkpoint) of a tlog-proof; or None."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    head, gap, checkpoint = text.partition("\n\n")
    lines, extra = head.split("\n"), None
    if gap == "" or lines.pop(0) != "c2sp.org/tlog-proof@v1":
        return None
    if lines and lines[0].startswith("extra "):
        extra = unbase64(lines.pop(0)[6:], url=False)
        if extra is None:
            return None
    if not lines or not lines[0].startswith("index "):
        return None
    index, path = size_in(lines[0][6:]), [hash_in(line) for line in lines[1:]]
    return None if index is None or None in path else (extra, index, path, checkpoint.encode("utf-8"))


def verify_proof(case):
    proof, origin, content = parse_proof(base64.b64decode(case["proof"])), case["origin"], case.get("content")
    need(proof is not None, "proof")
    _, index, path, checkpoint = proof
    need(index == case["index"], "index")
    leaf = unbase64(case["leaf"]) if "leaf" in case else None
    if content is not None:
        office = origin.rpartition("/")[2]
        salt, payload = base64.b64decode(content["salt"]), base64.b64decode(content["payload"])
        computed = office_leaf(f"{office}.{index}", office, index, content["receivedAt"], salt, payload)
        need("leaf" not in case or b64url(computed) == case["leaf"], "leaf")
        leaf = computed
    size, root, _ = open_checkpoint(checkpoint, case["jwks"], origin, case.get("cosigners"))
    need(leaf is not None and included(leaf, index, size, path, root), "inclusion")


# Section 7: the national log


def is_tree(line):
    words = line.split(" ")
    return len(words) == 2 and size_in(words[0]) is not None and hash_in(words[1]) is not None


def national_entry(text, origin):
    """(kind, origin of the log that it is about) of an entry of the national log; or None."""
    if not origin.endswith("/national") or not text.endswith("\n"):
        return None
    base, lines = origin[: -len("/national")], text[:-1].split("\n")
    if lines[0] == f"{base}/trail":
        good = len(lines) == 3 and size_in(lines[1]) is not None and hash_in(lines[2]) is not None
        return ("trail", "") if good else None
    prefix = f"{base}/offices/"
    office = lines[0][len(prefix):] if lines[0].startswith(prefix) else ""
    if (office == "" or "/" in office) and lines[:2] != [origin, "recovered"]:
        return None
    if lines[1:2] == ["recovered"]:
        instant = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z"
        good = len(lines) == 5 and is_tree(lines[2]) and is_tree(lines[3]) and re.fullmatch(instant, lines[4])
        return ("recovery", lines[0]) if good else None
    return None if parse_head(text) is None else ("office", lines[0])


def verify_national(case):
    proof, origin = parse_proof(base64.b64decode(case["proof"])), case["origin"]
    need(proof is not None and proof[0] is not None, "proof")
    extra, index, path, checkpoint = proof
    try:
        entry = national_entry(extra.decode("utf-8"), origin)
    except UnicodeDecodeError:
        entry = None
    need(entry is not None, "entry")
    need("office" not in case or entry[1] == case["office"], "office")
    size, root, _ = open_checkpoint(checkpoint, case["jwks"], origin)
    need(included(leaf_hash(extra), index, size, path, root), "inclusion")


def verify_consistency(case):
    values = [unbase64(case[name]) for name in ("oldRoot", "root")]
    path = [unbase64(step) for step in case["path"]]
    need(consistent(case["oldSize"], values[0], case["size"], values[1], path), "consistency")


# Section 6: lines of an office's log


def entry_payload(entry):
    """(payload, the JWS whose signature covers it)."""
    if "jws" in entry:
        content = entry["jws"]
        text = isinstance(content, str) and content.startswith("{")
        jws = parse_jws(parse_object(content) if text else content)
        need(jws is not None, "entry")
        return jws[1], jws
    line = manifest_line(entry)
    need(line is not None, "entry")
    return line


def verify_entry(case):
    entry = parse_object(base64.b64decode(case["entry"]))
    office, index = case["office"], case["index"]
    need(entry is not None and entry.get("index") == index and is_index(entry["index"]), "entry")
    need(entry.get("id") == f"{office}.{index}", "entry")
    salt, leaf = unbase64(entry.get("salt")), unbase64(entry.get("leaf"))
    need(salt is not None and len(salt) == 16 and leaf is not None, "entry")
    payload, jws = entry_payload(entry)
    received_at = entry.get("receivedAt")
    need(isinstance(received_at, str), "entry")
    try:
        need(office_leaf(entry["id"], office, index, received_at, salt, payload) == leaf, "entry")
    except ValueError:
        raise Refused("entry") from None
    check_jws(jws, case["jwks"])


VERIFIERS = {
    "receipt": verify_receipt,
    "content": verify_content,
    "checkpoint": verify_checkpoint,
    "proof": verify_proof,
    "national": verify_national,
    "consistency": verify_consistency,
    "entry": verify_entry,
}


def main():
    for line in sys.stdin.buffer:
        case = json.loads(line)
        try:
            VERIFIERS[case["kind"]](case)
            verdict = {"ok": True}
        except Refused as refusal:
            verdict = {"ok": False, "reason": str(refusal)}
        print(json.dumps(verdict))
    print(f"{CHECKED['here']} Ed25519 signatures here, {CHECKED['openssl']} of all by openssl", file=sys.stderr)


if __name__ == "__main__":
    main()
