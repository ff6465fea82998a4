"""Google's token endpoint: gives a token for an assertion that google-auth finds rightly signed.

usage: token_server.py PUBLIC_CERTIFICATE   prints "port N ready"
"""
import http.server, json, sys
from urllib.parse import parse_qs

from google.auth import jwt

certificate = open(sys.argv[1]).read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        try:
            claims = jwt.decode(form["assertion"][0], certs=certificate, audience=f"http://127.0.0.1:{server.server_port}/token")
            assert claims["iss"] == "robot@example.iam.gserviceaccount.com" and "devstorage" in claims["scope"]
            assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
            status, body = 200, {"access_token": "the-token", "expires_in": 3600, "token_type": "Bearer"}
        except Exception as error:
            status, body = 400, {"error": "invalid_grant", "error_description": f"{error}"}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


http.server.ThreadingHTTPServer.request_queue_size = 128  # of 5 a busy machine refuses some
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port, "ready", flush=True)
server.serve_forever()
