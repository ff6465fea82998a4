"""A web server, or a bucket, that misbehaves: the first part of a path says how. Prints "port N ready".

status-503: always; status-503-2: twice, then well. busy: 429 with Retry-After once. cut-N: breaks off N bytes after where it
began. cut-once, chunked-cut. short, long: another length. wrong, wrong-once: other bytes. login: a web page with 200. gzip:
Content-Encoding. whole: no ranges. s3-CODE-STATUS: an error of S3.
"""
import gzip, http.server, threading, time

CONTENT = bytes(i * 7 % 251 for i in range(100_000))
seen, lock = {}, threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, length=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if length is not None and length != len(body):
            self.close_connection = True

    def handle_one(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        how = self.path.split("/")[1]
        with lock:
            times = seen[self.path] = seen.get(self.path, 0) + 1
        print(f"{time.time():.3f}", how, self.command, self.headers.get("Range", "-"), flush=True)
        name, *rest = how.split("-")
        if name == "status" and (len(rest) < 2 or times <= int(rest[1])):
            return self.answer(int(rest[0]), b"<html>words of a proxy</html>", Content_Type="text/html")
        if name == "busy" and times == 1:
            return self.answer(429, b"", Retry_After="1")
        if name == "patience":
            return self.answer(503, b"", Retry_After="86400")
        if name == "s3":
            return self.answer(int(rest[1]), f"<Error><Code>{rest[0]}</Code><Message>words\x07 of the store</Message></Error>".encode())
        if name == "login":
            return self.answer(200, b"<html>please log in</html>", Content_Type="text/html; charset=utf-8")
        if name == "gzip":
            return self.answer(200, gzip.compress(CONTENT), Content_Encoding="gzip")
        if name == "short":
            return self.answer(200, CONTENT[:-1])
        if name == "long":
            return self.answer(200, CONTENT + b"x")
        if name == "wrong" and (not rest or times == 1):
            return self.answer(200, CONTENT[:-1] + b"x")
        if how == "chunked-cut":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n" % (5000, CONTENT[:5000]))
            self.close_connection = True
            return
        wanted = self.headers.get("Range") if name != "whole" else None
        first, _, last = (wanted or "bytes=0-").removeprefix("bytes=").partition("-")
        start, end = int(first), int(last) + 1 if last else len(CONTENT)
        body, length = CONTENT[start:end], end - start
        if name == "cut" and (rest[0] != "once" or times == 1):
            body = body[:int(rest[0]) if rest[0] != "once" else 1234]
        if wanted:
            span = f"bytes {start}-{end - 1}/{len(CONTENT)}"
            return self.answer(206, body, length, Content_Range=span)
        self.answer(200, body, length)

    do_GET = do_HEAD = do_PUT = do_POST = handle_one


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # of 5 a busy machine refuses some
    def handle_error(self, request, client_address):
        pass  # a client that hangs up at a wrong length is what is tested; the log holds requests only


server = Server(("127.0.0.1", 0), Handler)
print("port", server.server_port, "ready", flush=True)
server.serve_forever()
