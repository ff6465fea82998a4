#!/usr/bin/env python3
"""A small container registry for tests, which can be told to misbehave. Standard library only; keeps all in memory.

    registry.py [--user NAME:PASSWORD] [--auth basic|token|identity] [--lifetime SECONDS] [--referrers]
                [--page TAGS] [--faults FILE]

Listens on two ports of 127.0.0.1: the registry's own, and one that stands for other hosts (storage behind a redirect, upload
hosts). Prints "listening on HOST:PORT and HOST:PORT" first, then one JSON line a request, with "other": true for the second port
and "shown" for the kind of login that came with it.

With --referrers it has the referrers API. With --auth token there is a token server at /token, whose tokens live --lifetime seconds (default 300) and allow only the scopes
that were asked for; with --auth identity it takes the token "identity-secret" by POST only.

The file of --faults is read at every request: a JSON object of switches, each with a number of times it still applies (-1:
always), or an object with "times" and what it needs:

    relative  cross-host (uploads go to the other port)  location-http {"to":URL}  upload-401 (after the whole body)
    mount-202  mount-400  put-413 {"over":N}  put-429 {"retry-after":0}  put-503  put-lost (stored, no answer)  put-hang
    patch-416  patch-401  patch-cut {"at":N}  patch-short {"by":N}  blob-cut {"at":N}  blob-wrong  blob-redirect  blob-html
    manifest-wrong-header  manifest-wrong-bytes  manifest-html  manifest-unknown (MANIFEST_BLOB_UNKNOWN, and forgets a blob)
    manifest-400  put-400 (DIGEST_INVALID, though it is right)
    access-token (no "token" in the answer)  token-503  ping-html  referrers-html  realm {"to":URL}  head-503
"""
import argparse
import base64
import hashlib
import json
import re
import secrets
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from faults import Faults

INDEX = "application/vnd.oci.image.index.v1+json"


class State:
    def __init__(self, options):
        self.options = options
        self.faults = Faults(options.faults)
        self.blobs = {}  # (repository, digest): bytes
        self.manifests = {}  # (repository, tag or digest): (type, bytes)
        self.uploads = {}  # id: bytearray
        self.tokens = {}  # token: (scopes, end)
        self.lock = threading.Lock()

    def log(self, entry):
        with self.lock:
            sys.stdout.write(json.dumps(entry) + "\n")
            sys.stdout.flush()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = None
    own = other = ""

    def log_message(self, *_):
        pass

    @property
    def is_other(self):
        return self.server.server_port == int(self.other.split(":")[1])

    # --- answers

    def answer(self, status, headers=None, body=b"", announce=None):
        self.status = status
        self.send_response(status)
        for key, value in (headers or {}).items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(key, str(one))
        self.send_header("Content-Length", str(len(body) if announce is None else announce))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message, headers=None):
        body = json.dumps({"errors": [{"code": code, "message": message, "detail": [1, {"x": None}]}]}).encode()
        self.answer(status, {"Content-Type": "application/json"} | (headers or {}), body)

    def page(self, status=200):
        self.answer(status, {"Content-Type": "text/html; charset=utf-8"}, b"<!doctype html><title>Sign in</title>")

    # --- who asks

    def shown(self):
        return self.headers.get("Authorization", "").split(" ")[0].lower()

    def allows(self, repository, action):
        options = self.state.options
        if not options.auth or self.is_other:
            return True
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if options.auth == "basic":
            return kind == "Basic" and base64.b64decode(value).decode() == options.user
        scopes, end = self.state.tokens.get(value, ([], 0))
        if time.time() > end:
            return False
        return repository is None or any(
            scope.split(":")[1] == repository and action in scope.split(":")[2].split(",") for scope in scopes)

    def challenge(self, repository=None, action="pull"):
        if self.state.options.auth == "basic":
            return self.refuse(401, "UNAUTHORIZED", "authentication required",
                               {"WWW-Authenticate": 'Basic realm="a, registry"'})
        rule = self.state.faults.take("realm")
        realm = rule["to"] if rule else f"http://{self.own}/token"
        scope = f',scope="repository:{repository}:{action}"' if repository else ""
        # Basic is offered by a header of its own and does not work.
        self.refuse(401, "UNAUTHORIZED", "authentication required", {
            "WWW-Authenticate": [f'Bearer realm="{realm}",service="a, registry"{scope}', 'Basic realm="not this"']})

    def token(self, form):
        faults, options = self.state.faults, self.state.options
        if faults.take("token-503"):
            return self.refuse(503, "UNAVAILABLE", "later")
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if options.auth == "identity":
            good = self.command == "POST" and form.get("refresh_token") == ["identity-secret"]
            good = good and form.get("grant_type") == ["refresh_token"]
        else:
            if self.command == "POST":
                return self.refuse(405, "UNSUPPORTED", "no")
            good = kind == "Basic" and base64.b64decode(value).decode() == options.user
        if not good:
            return self.refuse(401, "DENIED", "incorrect username or password")
        scopes = form.get("scope", [])
        if options.auth == "identity":
            scopes = scopes[0].split(" ")
        token = secrets.token_hex(16)
        self.state.tokens[token] = (scopes, time.time() + options.lifetime)
        name = "access_token" if faults.take("access-token") or options.auth == "identity" else "token"
        body = json.dumps({name: token, "expires_in": options.lifetime}).encode()
        self.answer(200, {"Content-Type": "application/json"}, body)

    # --- requests

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def handle_one(self):
        self.status = None
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        self.sent = int(self.headers.get("Content-Length") or 0)
        try:
            self.route(url.path, query)
        finally:
            self.state.log({"method": self.command, "path": self.path, "status": self.status, "other": self.is_other,
                            "shown": self.shown(), "sent": self.sent, "range": self.headers.get("Content-Range")})

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

    def route(self, path, query):
        faults = self.state.faults
        if path == "/token":
            return self.token(urllib.parse.parse_qs(self.body().decode()) if self.command == "POST" else query)
        if path == "/v2/":
            if faults.take("ping-html"):
                return self.page()
            return self.answer(200, {}, b"{}") if self.allows(None, "pull") else self.challenge()
        if match := re.fullmatch(r"/stored/(.+)/(sha256:[0-9a-f]{64})", path):
            return self.blob_content(*match.groups())
        if match := re.fullmatch(r"/v2/(.+)/(blobs/uploads|blobs|manifests)/([^/]*)", path):
            repository, kind, name = match.groups()
            action = "pull" if self.command in ("GET", "HEAD") and kind != "blobs/uploads" else "push"
            if not self.allows(repository, action):
                # What was sent is read only when it is small: a client that waits for "100 Continue" sends nothing.
                if self.headers.get("Expect") is None:
                    self.body()
                else:
                    self.close_connection = True
                return self.challenge(repository, "pull,push")
            if kind == "blobs":
                return self.blob(repository, name)
            if kind == "manifests":
                return self.manifest(repository, name)
            return self.upload(repository, name, query)
        if match := re.fullmatch(r"/v2/(.+)/tags/list", path):
            return self.tags(match.group(1), query)
        match = re.fullmatch(r"/v2/(.+)/referrers/(sha256:[0-9a-f]{64})", path)
        if match and self.state.options.referrers:
            return self.referrers(*match.groups()) if self.allows(match.group(1), "pull") else self.challenge(match.group(1))
        if match and faults.take("referrers-html"):
            return self.page()
        self.refuse(404, "NAME_UNKNOWN", "no such place")

    # --- blobs

    def blob(self, repository, name):
        faults = self.state.faults
        if self.command == "HEAD" and faults.take("head-503"):
            return self.refuse(503, "UNAVAILABLE", "later")
        data = self.state.blobs.get((repository, name))
        if data is None:
            return self.refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if self.command == "HEAD":
            return self.answer(200, {"Docker-Content-Digest": name}, announce=len(data))
        if faults.take("blob-redirect"):
            return self.answer(307, {"Location": f"http://{self.other}/stored/{repository}/{name}?signature=secret"})
        self.blob_content(repository, name)

    def blob_content(self, repository, name):
        faults = self.state.faults
        data = self.state.blobs[(repository, name)]
        if self.is_other and self.shown():
            return self.refuse(400, "InvalidArgument", "Only one auth mechanism allowed")
        if faults.take("blob-html"):
            return self.page()
        if faults.take("blob-wrong"):
            data = bytes([data[0] ^ 1]) + data[1:]
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start = int(match.group(1))
            return self.answer(206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}, data[start:])
        if rule := faults.take("blob-cut"):
            self.answer(200, {}, data[:rule["at"]], announce=len(data))
            self.close_connection = True
            return
        self.answer(200, {"Content-Type": "application/octet-stream"}, data)

    def location(self, repository, key):
        path = f"/v2/{repository}/blobs/uploads/{key}?state={secrets.token_hex(4)}"
        faults = self.state.faults
        if rule := faults.take("location-http"):
            return rule["to"]
        if faults.take("cross-host"):
            return f"http://{self.other}{path}"
        return path if faults.take("relative") else f"http://{self.headers['Host']}{path}"

    def upload(self, repository, key, query):
        state, faults = self.state, self.state.faults
        if self.command == "POST":
            self.body()
            if "mount" in query:
                name, origin = query["mount"][0], query["from"][0]
                if faults.take("mount-400"):
                    return self.refuse(400, "UNSUPPORTED", "no mounting")
                if (origin, name) in state.blobs and self.allows(origin, "pull") and not faults.take("mount-202"):
                    state.blobs[(repository, name)] = state.blobs[(origin, name)]
                    return self.answer(201, {"Location": f"/v2/{repository}/blobs/{name}", "Docker-Content-Digest": name})
            key = secrets.token_hex(8)
            state.uploads[key] = bytearray()
            return self.answer(202, {"Location": self.location(repository, key), "Range": "0-0"})
        if key not in state.uploads:
            self.body()
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        data = state.uploads[key]
        if self.command == "GET":
            return self.answer(204, {"Location": self.location(repository, key), "Range": f"0-{max(0, len(data) - 1)}"})
        if self.command == "PATCH":
            return self.patch(repository, key, data)
        self.put(repository, key, data, query)

    def patch(self, repository, key, data):
        faults = self.state.faults
        rule = faults.take("patch-cut")
        if rule:
            data += self.rfile.read(min(rule["at"], self.sent))
            self.close_connection = True
            self.connection.close()
            return
        body = self.body()
        if faults.take("patch-401"):
            return self.challenge(repository, "pull,push")
        start = int(self.headers["Content-Range"].split("-")[0])
        if faults.take("patch-416") or start != len(data):
            return self.refuse(416, "BLOB_UPLOAD_INVALID", "range out of order")
        short = faults.take("patch-short")
        data += body[:len(body) - short["by"]] if short else body
        self.answer(202, {"Location": self.location(repository, key), "Range": f"0-{len(data) - 1}"})

    def put(self, repository, key, data, query):
        faults, name = self.state.faults, query["digest"][0]
        rule = faults.take("put-413")
        if rule and self.sent > rule["over"]:
            self.close_connection = True
            return self.answer(413, {"Content-Type": "text/html", "Connection": "close"}, b"<h1>413</h1>")
        if self.sent and faults.take("put-hang"):
            while self.connection.recv(1 << 16):
                time.sleep(0.5)
            self.close_connection = True
            return
        data += self.body()
        if self.sent and faults.take("upload-401"):
            return self.challenge(repository, "pull,push")
        if rule := faults.take("put-429"):
            return self.refuse(429, "TOOMANYREQUESTS", "slow down", {"Retry-After": rule.get("retry-after", 0)})
        if faults.take("put-503"):
            return self.refuse(503, "UNAVAILABLE", "later")
        del self.state.uploads[key]
        if digest(data) != name or faults.take("put-400"):
            return self.refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.state.blobs[(repository, name)] = bytes(data)
        if faults.take("put-lost"):
            self.close_connection = True
            self.connection.close()
            return
        self.answer(201, {"Location": f"/v2/{repository}/blobs/{name}", "Docker-Content-Digest": name})

    # --- manifests

    def manifest(self, repository, name):
        state, faults = self.state, self.state.faults
        if self.command == "PUT":
            return self.put_manifest(repository, name)
        if self.command == "DELETE":
            return self.refuse(405, "UNSUPPORTED", "The operation is unsupported.")
        if faults.take("manifest-html"):
            return self.page()
        if (repository, name) not in state.manifests:
            return self.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        kind, data = state.manifests[(repository, name)]
        if faults.take("manifest-wrong-bytes"):
            data = data.replace(b'"schemaVersion":2', b'"schemaVersion" :2')
        stated = "sha256:" + "0" * 64 if faults.take("manifest-wrong-header") else digest(data)
        self.answer(200, {"Content-Type": kind, "Docker-Content-Digest": stated}, data)

    def tags(self, repository, query):
        """A page of tags, with a relative link to the next one."""
        names = sorted(name for place, name in self.state.manifests if place == repository and ":" not in name)
        rest = [name for name in names if name > query.get("last", [""])[0]]
        page = rest[:self.state.options.page]
        headers = {"Content-Type": "application/json"}
        if len(rest) > len(page):
            headers["Link"] = f'</v2/{repository}/tags/list?last={page[-1]}>; rel="next"'
        self.answer(200, headers, json.dumps({"name": repository, "tags": page or None}).encode())

    def put_manifest(self, repository, name):
        state, body = self.state, self.body()
        if state.faults.take("manifest-400"):
            return self.refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        json_body = json.loads(body)
        needed = [blob["digest"] for blob in json_body.get("layers", []) + [json_body.get("config", {})] if blob]
        if state.faults.take("manifest-unknown"):
            state.blobs.pop((repository, needed[0]), None)
        missing = [digest for digest in needed if (repository, digest) not in state.blobs]
        if missing:
            return self.refuse(404, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {missing[0]}")
        kind = self.headers["Content-Type"]
        state.manifests[(repository, name)] = state.manifests[(repository, digest(body))] = (kind, body)
        headers = {"Location": f"/v2/{repository}/manifests/{name}", "Docker-Content-Digest": digest(body)}
        if state.options.referrers and "subject" in json_body:
            headers["OCI-Subject"] = json_body["subject"]["digest"]
        self.answer(201, headers)

    def referrers(self, repository, name):
        """What names an image as its subject."""
        found = {}
        for (place, _), (kind, data) in list(self.state.manifests.items()):
            content = json.loads(data)
            if place == repository and content.get("subject", {}).get("digest") == name:
                found[digest(data)] = {"mediaType": kind, "digest": digest(data), "size": len(data),
                                       "artifactType": content["artifactType"]}
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(found.values())}).encode()
        self.answer(200, {"Content-Type": INDEX}, body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", default="ann:a:secret")
    parser.add_argument("--auth", choices=["basic", "token", "identity"])
    parser.add_argument("--referrers", action="store_true")
    parser.add_argument("--page", type=int, default=1000)
    parser.add_argument("--lifetime", type=int, default=300)
    parser.add_argument("--faults")
    Handler.state = State(parser.parse_args())
    servers = [Server(("127.0.0.1", 0), Handler) for _ in range(2)]
    Handler.own, Handler.other = [f"127.0.0.1:{server.server_port}" for server in servers]
    threading.Thread(target=servers[1].serve_forever, daemon=True).start()
    print(f"listening on {Handler.own} and {Handler.other}", flush=True)
    servers[0].serve_forever()


main()
