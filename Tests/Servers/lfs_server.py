#!/usr/bin/env python3
"""A small git and LFS server for tests, which can be told to misbehave. Standard library only.

    lfs_server.py ROOT [--port 0] [--user NAME:PASSWORD]... [--cert FILE --key FILE] [--faults FILE]

Serves every bare repository ROOT/NAME.git over `git http-backend` at /NAME.git, its LFS API at /NAME.git/info/lfs, and
keeps its objects in ROOT/NAME.git/lfs/objects. Prints "listening on ADDRESS" first, then one JSON line a request.

With --user, requests need basic authentication; actions carry a token of their own. The file of --faults is read at every
request: a JSON object of switches, each with a number of times it still applies (-1: always), or an object with "times"
and what it needs. They are counted in this process, anew when the file changes.

    batch-503 {"times":2,"retry-after":0}  download-cut {"times":1,"at":1000}   upload-503    download-wrong
    batch-429                              upload-cut  {"times":1,"at":1000}    upload-lost   download-html
    batch-html                             batch-error {"times":1,"code":422,"message":"…","oids":["ab…"]}
    batch-redirect {"times":1,"to":URL}    batch-top-level {"times":1,"status":403,"message":"…","documentation_url":"…","request_id":"…"}
    expired (actions that ended an hour ago)      href-prefix {"times":-1,"to":"http://169.254.169.254"}
    relative (hrefs without host)  download-redirect {"times":1,"to":URL}  action-410, action-401  no-range
    no-verify (no verify actions)  verify-404    locks-404    batch-limit {"times":-1,"max":10}  slow {"times":-1,"seconds":1}
    download-416  batch-short (leaves objects out)   upload-hold {"times":-1,"after":40} (further ones wait until the file changes)
"""
import argparse
import base64
import hashlib
import json
import os
import re
import secrets
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from faults import Faults

MEDIA = "application/vnd.git-lfs+json"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, options):
        super().__init__(address, Handler)
        self.options = options
        self.faults = Faults(options.faults)
        self.tokens = {}  # token: (user, end)
        self.uploaded = 0
        self.lock = threading.Lock()
        self.log_lock = threading.Lock()

    def log(self, entry):
        with self.log_lock:
            sys.stdout.write(json.dumps(entry) + "\n")
            sys.stdout.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    # ------------------------------------------------------------------ answers

    def answer(self, status, body=b"", kind=MEDIA, headers=()):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.status = status

    def refuse(self, status, message, headers=()):
        self.drain()
        self.answer(status, {"message": message, "request_id": "r-1"}, headers=headers)

    def drain(self):
        """Reads what of the request's body has not been read, so that the connection can go on."""
        left = getattr(self, "unread", 0)
        while left > 0:
            piece = self.rfile.read(min(left, 1 << 20))
            if not piece:
                break
            left -= len(piece)
        self.unread = 0

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self.chunks())
        data = self.rfile.read(self.unread)
        self.unread = 0
        return data

    def chunks(self):
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            if size == 0:
                while self.rfile.readline().strip():
                    pass
                return
            yield self.rfile.read(size)
            self.rfile.readline()

    # ------------------------------------------------------------------ dispatch

    def serve(self):
        self.unread = int(self.headers.get("Content-Length") or 0)
        self.status = 0
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        started = time.time()
        try:
            slow = self.server.faults.take("slow")
            if slow:
                time.sleep(slow.get("seconds", 1))
            self.route(url)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.server.log({
                "method": self.command, "path": url.path, "query": url.query, "status": self.status,
                "user": getattr(self, "user", None), "range": self.headers.get("Range"),
                "authorization": (self.headers.get("Authorization") or "").split(" ")[0] or None,
                "extra": self.headers.get("X-Extra"), "seconds": round(time.time() - started, 3)})

    do_GET = do_POST = do_PUT = do_HEAD = serve

    def route(self, url):
        match = re.match(r"^/([A-Za-z0-9_.-]+\.git)(/.*)?$", urllib.parse.unquote(url.path))
        if not match or not os.path.isdir(os.path.join(self.server.options.root, match[1])):
            return self.refuse(404, "no such repository")
        self.repository = os.path.join(self.server.options.root, match[1])
        rest = match[2] or "/"
        self.base = f"{self.scheme()}://{self.headers.get('Host')}/{match[1]}/info/lfs"
        if not self.authenticate():
            return None
        if rest == "/info/lfs/objects/batch" and self.command == "POST":
            return self.batch()
        if rest.startswith("/info/lfs/objects/verify") and self.command == "POST":
            return self.verify()
        object_ = re.match(r"^/info/lfs/objects/([0-9a-f]{64})$", rest)
        if object_:
            return self.download(object_[1]) if self.command in ("GET", "HEAD") else self.upload(object_[1])
        if rest.startswith("/info/lfs/locks"):
            return self.locks(rest[len("/info/lfs/locks"):])
        if rest.startswith("/info/lfs"):
            return self.refuse(404, "not part of this API")
        return self.git(match[1] + rest, url.query)

    def scheme(self):
        return "https" if self.server.options.cert else "http"

    def authenticate(self):
        users = dict(pair.split(":", 1) for pair in self.server.options.user or [])
        words = (self.headers.get("Authorization") or "").split(" ", 1)
        self.user = None
        if words[0] == "Basic" and len(words) == 2:
            name, _, password = base64.b64decode(words[1]).decode().partition(":")
            if users.get(name) == password:
                self.user = name
        elif words[0] in ("Token", "RemoteAuth") and len(words) == 2:
            user, end = self.server.tokens.get(words[1], (None, 0))
            if end > time.time():
                self.user = user
            secret = os.environ.get("LFS_SERVER_TOKEN")
            if secret and words[1] == secret:
                self.user = "ssh"
        if users and not self.user:
            self.refuse(401, "Credentials needed", [
                ("WWW-Authenticate", 'Basic realm="test"'), ("LFS-Authenticate", 'Basic realm="test"')])
            return False
        return True

    # ------------------------------------------------------------------ batch API

    def place(self, oid):
        return os.path.join(self.repository, "lfs", "objects", oid[:2], oid[2:4], oid)

    def size(self, oid):
        try:
            return os.path.getsize(self.place(oid))
        except OSError:
            return None

    def batch(self):
        take = self.server.faults.take
        rule = take("batch-503")
        if rule:
            return self.refuse(503, "out of order", [("Retry-After", str(rule.get("retry-after", 0)))])
        rule = take("batch-429")
        if rule:
            return self.refuse(429, "too many requests", [("Retry-After", str(rule.get("retry-after", 0)))])
        if take("batch-html"):
            self.drain()
            return self.answer(200, b"<html><body>Please log in</body></html>", "text/html; charset=utf-8")
        rule = take("batch-redirect")
        if rule:
            self.drain()
            return self.answer(307, headers=[("Location", rule["to"])])
        rule = take("batch-top-level")
        if rule:
            self.drain()
            return self.answer(rule["status"], {
                k: v for k, v in rule.items() if k in ("message", "documentation_url", "request_id")})
        request = json.loads(self.body())
        objects, operation = request["objects"], request["operation"]
        rule = take("batch-limit")
        if rule and len(objects) > rule["max"]:
            return self.refuse(413, "too many objects")
        if "basic" not in request.get("transfers", ["basic"]) or request.get("hash_algo", "sha256") != "sha256":
            return self.refuse(422, "only basic transfers of SHA-256")
        if take("batch-short"):
            objects = objects[1:]
        faulty = take("batch-error")
        answers = [self.entry(entry, operation, faulty) for entry in objects]
        return self.answer(200, {"transfer": "basic", "objects": answers, "hash_algo": "sha256"})

    def entry(self, entry, operation, faulty):
        oid, size = entry["oid"], entry["size"]
        answer = {"oid": oid, "size": size}
        if faulty and (not faulty.get("oids") or oid in faulty["oids"]):
            answer["error"] = {"code": faulty.get("code", 422), "message": faulty.get("message", "refused")}
        elif not re.fullmatch("[0-9a-f]{64}", oid) or size < 0:
            answer["error"] = {"code": 422, "message": "no such name of content"}
        elif operation == "download":
            there = self.size(oid)
            if there is None:
                answer["error"] = {"code": 404, "message": "Object does not exist"}
            elif there != size:  # as Gitea and giftless have it
                answer["error"] = {"code": 422, "message": f"Object {oid} is not {size} bytes"}
            else:
                answer["authenticated"] = True
                answer["actions"] = {"download": self.action(f"/objects/{oid}")}
        elif self.size(oid) != size:
            answer["authenticated"] = True
            answer["actions"] = {"upload": self.action(f"/objects/{oid}")}
            if not self.server.faults.take("no-verify"):
                answer["actions"]["verify"] = self.action("/objects/verify")
        return answer

    def action(self, path):
        take = self.server.faults.take
        prefix = take("href-prefix")
        base = prefix["to"] + urllib.parse.urlsplit(self.base).path if prefix else self.base
        if take("relative"):
            base = urllib.parse.urlsplit(self.base).path
        action = {"href": base + path, "header": {"X-Action": "yes"}, "expires_in": 3600}
        if self.server.options.user:
            token = secrets.token_hex(16)
            with self.server.lock:
                self.server.tokens[token] = (self.user, time.time() + 3600)
            action["header"]["Authorization"] = f"Token {token}"
        if take("expired"):
            action["expires_in"] = -3600
        return action

    def faulty_action(self):
        for name, status in (("action-410", 410), ("action-401", 401), ("action-403", 403)):
            if self.server.faults.take(name):
                self.refuse(status, "the link has expired")
                return True
        return False

    def download(self, oid):
        take = self.server.faults.take
        if self.faulty_action():
            return None
        rule = take("download-redirect")
        if rule:
            return self.answer(302, headers=[("Location", rule["to"])])
        rule = take("download-503")
        if rule:
            return self.refuse(503, "out of order", [("Retry-After", str(rule.get("retry-after", 0)))])
        if take("download-html"):
            return self.answer(200, b"<html>Please log in</html>", "text/html")
        size = self.size(oid)
        if size is None:
            return self.refuse(404, "Object does not exist")
        start, end, status = 0, size, 200
        span = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range") or "")
        if span and not take("no-range"):
            if int(span[1]) >= size or take("download-416"):
                return self.refuse(416, "no such part")
            start, end, status = int(span[1]), min(size, int(span[2]) + 1) if span[2] else size, 206
        cut, wrong = take("download-cut"), take("download-wrong")
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(end - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.end_headers()
        self.status = status
        if self.command == "HEAD":
            return None
        left = min(end - start, cut.get("at", size // 2)) if cut else end - start
        with open(self.place(oid), "rb") as file:
            file.seek(start)
            while left > 0:
                piece = file.read(min(left, 1 << 20))
                if not piece:
                    break
                if wrong:
                    piece = bytes([piece[0] ^ 1]) + piece[1:]
                    wrong = None
                self.wfile.write(piece)
                left -= len(piece)
        if cut:
            self.close_connection = True
            self.connection.close()
        return None

    def upload(self, oid):
        take = self.server.faults.take
        if self.faulty_action():
            return None
        while (hold := take("upload-hold")) and self.server.uploaded >= hold["after"]:
            time.sleep(0.02)
        rule = take("upload-redirect")
        if rule:
            self.drain()
            return self.answer(307, headers=[("Location", rule["to"])])
        rule = take("upload-503")
        if rule:
            return self.refuse(503, "out of order", [("Retry-After", str(rule.get("retry-after", 0)))])
        rule = take("upload-507")
        if rule:
            return self.refuse(507, "no room left")
        cut = take("upload-cut")
        if cut:
            self.rfile.read(min(self.unread, cut.get("at", 1000)))
            self.close_connection = True
            self.connection.close()
            return None
        target = self.place(oid)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        temporary = f"{target}.{secrets.token_hex(4)}"
        hasher = hashlib.sha256()
        with open(temporary, "wb") as file:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                for piece in self.chunks():
                    hasher.update(piece)
                    file.write(piece)
            else:
                while self.unread > 0:
                    piece = self.rfile.read(min(self.unread, 1 << 20))
                    if not piece:
                        break
                    self.unread -= len(piece)
                    hasher.update(piece)
                    file.write(piece)
        if hasher.hexdigest() != oid:
            os.unlink(temporary)
            return self.refuse(422, "the content is not what its name says")
        if take("upload-lost"):
            os.unlink(temporary)
        else:
            os.rename(temporary, target)
            with self.server.lock:
                self.server.uploaded += 1
        return self.answer(200, b"", "text/plain")

    def verify(self):
        request = json.loads(self.body())
        if self.server.faults.take("verify-404") or self.size(request["oid"]) != request["size"]:
            return self.refuse(404, "it is not here")
        return self.answer(200, {})

    # ------------------------------------------------------------------ locks

    def locks(self, rest):
        if self.server.faults.take("locks-404"):
            return self.refuse(404, "Not found")
        path = os.path.join(self.repository, "lfs", "locks.json")
        with self.server.lock:
            try:
                held = json.load(open(path))
            except FileNotFoundError:
                held = []
            if self.command == "GET" and rest == "":
                found = [lock for lock in held if self.query.get("path") in (None, "", lock["path"])
                         and self.query.get("id") in (None, "", lock["id"])]
                page, cursor = self.page(found, self.query.get("cursor"), int(self.query.get("limit") or 100))
                return self.answer(200, {"locks": page, **cursor})
            request = json.loads(self.body() or b"{}")
            if rest == "/verify":
                page, cursor = self.page(held, request.get("cursor"), int(request.get("limit") or 100))
                mine = [lock for lock in page if lock["owner"]["name"] == (self.user or "anyone")]
                return self.answer(200, {
                    "ours": mine, "theirs": [lock for lock in page if lock not in mine], **cursor})
            if rest == "":
                other = [lock for lock in held if lock["path"] == request["path"]]
                if other:
                    return self.answer(409, {"lock": other[0], "message": "already created lock"})
                lock = {"id": secrets.token_hex(8), "path": request["path"], "locked_at": "2026-01-02T03:04:05Z",
                        "owner": {"name": self.user or "anyone"}}
                self.store(path, held + [lock])
                return self.answer(201, {"lock": lock})
            found = re.match(r"^/([0-9a-f]+)/unlock$", rest)
            lock = next((lock for lock in held if found and lock["id"] == found[1]), None)
            if not lock:
                return self.refuse(404, "no such lock")
            if lock["owner"]["name"] != (self.user or "anyone") and not request.get("force"):
                return self.refuse(403, "it belongs to " + lock["owner"]["name"])
            self.store(path, [other for other in held if other != lock])
            return self.answer(200, {"lock": lock})

    @staticmethod
    def page(items, cursor, limit):
        limit = min(limit, 3)  # small pages, so that clients must follow them
        start = int(cursor or 0)
        more = {"next_cursor": str(start + limit)} if start + limit < len(items) else {}
        return items[start:start + limit], more

    @staticmethod
    def store(path, locks):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w") as file:
            json.dump(locks, file)
        os.rename(path + ".new", path)

    # ------------------------------------------------------------------ git

    def git(self, path, query):
        body = self.body()
        environment = {
            **os.environ, "GIT_PROJECT_ROOT": self.server.options.root, "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": "/" + path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "REMOTE_USER": self.user or "anyone", "REMOTE_ADDR": "127.0.0.1",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.receivepack", "GIT_CONFIG_VALUE_0": "true"}
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        status, headers, kind = 200, [], "text/plain"
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "status":
                status = int(value.split(" ")[0])
            elif name.lower() == "content-type":
                kind = value
            elif name and name.lower() != "content-length":
                headers.append((name, value))
        return self.answer(status, content, kind, headers)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user", action="append")
    parser.add_argument("--faults")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    options.root = os.path.abspath(options.root)
    server = Server(("127.0.0.1", options.port), options)
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if options.cert else "http"
    print(f"listening on {scheme}://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
