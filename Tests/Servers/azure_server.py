"""A small Azure Blob Storage in memory, with Microsoft's own signer as the judge of signatures.

usage: azure_server.py ACCOUNT KEY SAS [PAGE]   prints "port N ready"
"""
import base64, hashlib, http.server, sys, threading, types
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

account, key, sas, page = sys.argv[1], sys.argv[2], dict(parse_qsl(sys.argv[3])), int((sys.argv[4:] or [50])[0])
blobs, blocks, containers, lock = {}, {}, {"data"}, threading.Lock()
policy = SharedKeyCredentialPolicy(account, key)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20

    def log_message(self, *args):
        print(*args[1:], flush=True)

    def answer(self, status, body=b"", code=None, **headers):
        if code:
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>words\nRequestId:1</Message></Error>".encode()
            headers["x-ms-error-code"] = code
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.command != "HEAD" or "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def is_allowed(self, query):
        if "sig" in query:
            return all(query.get(name) == value for name, value in sas.items())
        sent = self.headers.get("Authorization")
        request = types.SimpleNamespace(
            method=self.command, url=f"http://host{self.path}", query=dict(
                pair.partition("=")[::2] for pair in urlsplit(self.path).query.split("&") if pair),
            headers={name: value for name, value in self.headers.items() if name.lower() != "authorization"})
        context = types.SimpleNamespace(transport=None)
        policy.on_request(types.SimpleNamespace(http_request=request, context=context))
        return request.headers["Authorization"] == sent

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        container, _, name = unquote(parts.path).lstrip("/").partition("/")
        if not self.is_allowed(query):
            return self.answer(403, code="AuthenticationFailed")
        if container not in containers:
            return self.answer(404, code="ContainerNotFound")
        md5 = self.headers.get("Content-MD5")
        if md5 and md5 != base64.b64encode(hashlib.md5(body).digest()).decode():
            return self.answer(400, code="Md5Mismatch")
        with lock:
            if not name:
                return self.list(query)
            if query.get("comp") == "block":
                blocks.setdefault(name, {})[query["blockid"]] = body
                return self.answer(201)
            if query.get("comp") == "blocklist":
                return self.block_list(name, body)
            if self.command == "PUT":
                assert self.headers["x-ms-blob-type"] == "BlockBlob"
                blobs[name] = body
                blocks.pop(name, None)
                return self.answer(201)
            content = blobs.get(name)
        if content is None:
            return self.answer(404, code="BlobNotFound")
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        if wanted and self.command == "GET":
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            part = content[int(start):int(end) + 1 if end else None]
            span = f"bytes {start}-{int(start) + len(part) - 1}/{len(content)}"
            return self.answer(206, part, Content_Range=span, ETag='"1"', Last_Modified="Sun, 06 Nov 1994 08:49:37 GMT")
        self.answer(200, content, Content_Length=str(len(content)), x_ms_blob_type="BlockBlob", ETag='"1"',
                    Last_Modified="Sun, 06 Nov 1994 08:49:37 GMT") if self.command == "HEAD" else self.answer(200, content)

    def block_list(self, name, body):
        waiting = blocks.get(name, {})
        if self.command == "GET":
            if not waiting and name not in blobs:
                return self.answer(404, code="BlobNotFound")
            items = "".join(f"<Block><Name>{i}</Name><Size>{len(b)}</Size></Block>" for i, b in waiting.items())
            return self.answer(
                200, f"<BlockList><CommittedBlocks/><UncommittedBlocks>{items}</UncommittedBlocks></BlockList>".encode())
        names = [item.partition("</Latest>")[0] for item in body.decode().split("<Latest>")[1:]]
        if any(item not in waiting for item in names):
            return self.answer(400, code="InvalidBlockList")
        blobs[name] = b"".join(waiting[item] for item in names)
        del blocks[name]
        self.answer(201)

    def list(self, query):
        names = sorted(n for n in blobs if n.startswith(query.get("prefix", "")) and n > query.get("marker", ""))
        shown = names[:min(page, int(query.get("maxresults", page)))]
        items = "".join(
            f"<Blob><Name>{escape(n)}</Name><Properties><Content-Length>{len(blobs[n])}</Content-Length></Properties></Blob>"
            for n in shown)
        marker = shown[-1] if len(names) > len(shown) else ""
        self.answer(200, ("\ufeff<?xml version='1.0' encoding='utf-8'?><EnumerationResults ContainerName='data'>"
                          f"<Blobs>{items}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>").encode())

    do_GET = do_HEAD = do_PUT = handle_one


http.server.ThreadingHTTPServer.request_queue_size = 128  # of 5 a busy machine refuses some
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port, "ready", flush=True)
server.serve_forever()
