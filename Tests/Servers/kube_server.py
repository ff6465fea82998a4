"""A small API server of Kubernetes for real kubectl: discovery, get, list, watch (watch-lists too), server-side apply with field
managers and conflicts, delete, and port-forward over SPDY. A controller brings Deployments up and makes their pods, and every pod
answers as a served model would, with the revision of its annotation.

    kube_server.py KUBECONFIG --faults FILE

The faults are JSON: {"crash": ["sha256:…"]} never becomes ready, {"sick": ["sha256:…"]} answers 503, {"refuse": ["/configmaps/"]} answers
500 to writes whose path holds that. The first line says where it listens; the others are the requests.
"""
import argparse, copy, json, socket, struct, sys, threading, time, zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
import yaml

KINDS = {  # plural: (group/version, kind, singular, short)
    "configmaps": ("v1", "ConfigMap", "configmap", ["cm"]), "services": ("v1", "Service", "service", ["svc"]),
    "pods": ("v1", "Pod", "pod", ["po"]), "deployments": ("apps/v1", "Deployment", "deployment", ["deploy"]),
    "replicasets": ("apps/v1", "ReplicaSet", "replicaset", ["rs"]),
    "horizontalpodautoscalers": ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscaler", ["hpa"]),
    "poddisruptionbudgets": ("policy/v1", "PodDisruptionBudget", "poddisruptionbudget", ["pdb"]),
}
GROUPS = ["apps/v1", "autoscaling/v2", "policy/v1"]
changed = threading.Condition()
objects, owners, events = {}, {}, []  # key → object; key → {manager: {leaf: value}}; (version, type, key, object)
version = 0
faults_file = None


def faults():
    try:
        with open(faults_file) as file: return json.load(file)
    except (OSError, ValueError): return {}


def leaves(value, path=()):
    if isinstance(value, dict) and value:
        for key, item in value.items(): yield from leaves(item, path + (key,))
    else: yield path, value


def put(value, path, leaf):
    for key in path[:-1]:
        if not isinstance(value.get(key), dict): value[key] = {}
        value = value[key]
    value[path[-1]] = copy.deepcopy(leaf)


def drop(value, path):
    for key in path[:-1]:
        value = value.get(key)
        if not isinstance(value, dict): return
    value.pop(path[-1], None)


def store(kind, key, body):
    """Under the lock."""
    global version
    version += 1
    body["metadata"]["resourceVersion"] = str(version)
    objects[key] = body
    events.append((version, kind, key, copy.deepcopy(body)))
    changed.notify_all()


def remove(key):
    global version
    version += 1
    body = objects.pop(key)
    owners.pop(key, None)
    body["metadata"]["resourceVersion"] = str(version)
    events.append((version, "DELETED", key, body))
    changed.notify_all()


def fits(body, query):
    labels, fields = body["metadata"].get("labels", {}), query.get("fieldSelector", [""])[0]
    if fields.startswith("metadata.name=") and body["metadata"]["name"] != fields.split("=", 1)[1]: return False
    for term in filter(None, query.get("labelSelector", [""])[0].split(",")):
        key, _, value = term.partition("=")
        if labels.get(key) != value.lstrip("="): return False
    return True


def apply(key, wanted, manager, force):
    """Server-side apply: leaves have owners, lists are one leaf; returns the conflicts."""
    own = {path: leaf for path, leaf in leaves(wanted)
           if path[0] not in ("apiVersion", "kind", "status") and path not in (("metadata", "name"), ("metadata", "namespace"))}
    current = copy.deepcopy(objects.get(key))
    kept = owners.setdefault(key, {})
    if current:
        conflicts = [(other, path) for other, paths in kept.items() if other != manager
                     for path, leaf in own.items() if path in paths and paths[path] != leaf]
        if conflicts and not force: return conflicts
        for other, path in conflicts: kept[other].pop(path, None)
    body = copy.deepcopy(current) or {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": {
        "name": key[2], "namespace": key[1], "uid": f"uid-{version}", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 0}}
    for path in set(kept.get(manager, {})) - set(own):
        if not any(path in paths for other, paths in kept.items() if other != manager): drop(body, path)
    for path, leaf in own.items(): put(body, path, leaf)
    kept[manager] = own
    if body["kind"] == "Deployment": body["spec"].setdefault("replicas", 1)
    if current is None or current.get("spec") != body.get("spec"):
        body["metadata"]["generation"] = body["metadata"].get("generation", 0) + 1
    if body != current: store("MODIFIED" if current else "ADDED", key, body)
    return []


def control():
    """The Deployment controller: new pods first, then the old ones go."""
    while True:
        with changed:
            changed.wait(0.1)
            for key in [key for key in list(objects) if key[0] == "deployments"]:
                body = copy.deepcopy(objects[key])
                meta, spec, status = body["metadata"], body["spec"], body.get("status", {})
                wanted, template = spec["replicas"], spec["template"]
                mark = str(zlib.crc32(json.dumps(template, sort_keys=True).encode()))
                crashes = any(word in template["spec"]["containers"][0]["image"] for word in faults().get("crash", []))
                pods = [k for k, pod in objects.items() if k[0] == "pods" and pod["metadata"]["labels"].get("owner") == meta["name"]]
                new = [k for k in pods if objects[k]["metadata"]["labels"]["pod-template-hash"] == mark]
                for number in range(len(new), wanted):
                    name = f"{meta['name']}-{mark}-{number}"
                    pod = copy.deepcopy(template)
                    pod.update(apiVersion="v1", kind="Pod")
                    pod["metadata"].update(name=name, namespace=key[1], uid=name, creationTimestamp="2026-01-01T00:00:00Z")
                    pod["metadata"]["labels"] = dict(pod["metadata"]["labels"], owner=meta["name"], **{"pod-template-hash": mark})
                    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting"}} if crashes else {"running": {}}
                    pod["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(not crashes)}],
                                     "containerStatuses": [{"name": "model", "ready": not crashes, "state": state}]}
                    store("ADDED", ("pods", key[1], name), pod)
                ready = 0 if crashes else wanted
                for name in (set(pods) - set(new) if not crashes else set()) | set(new[wanted:]): remove(name)
                condition = {"type": "Progressing", "status": "False" if crashes else "True",
                             "reason": "ProgressDeadlineExceeded" if crashes else "NewReplicaSetAvailable"}
                fresh = {"observedGeneration": meta["generation"], "replicas": wanted, "updatedReplicas": wanted, "readyReplicas": ready,
                         "availableReplicas": ready, "conditions": [condition]}
                if status != fresh:
                    body["status"] = fresh
                    store("MODIFIED", key, body)
            alive = {key[2] for key in objects if key[0] == "deployments"}
            for key in [k for k, pod in objects.items() if k[0] == "pods" and pod["metadata"]["labels"]["owner"] not in alive]: remove(key)


def answer(request, pod):
    """What a served model answers to one HTTP request."""
    line = request.split(b"\r\n", 1)[0].decode().split(" ")
    revision = pod["metadata"].get("annotations", {}).get("git-ml.dev/revision", "")
    image = pod["spec"]["containers"][0]["image"]
    status = 503 if any(word in image for word in faults().get("sick", [])) else 200
    body = json.dumps({"path": line[1], "predictions": [0.5]}).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nX-Model-Revision: {revision}\r\nConnection: close\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def forward(connection, pod):
    """The SPDY side of a port-forward: an error stream and a data stream a connection, in this order."""
    packer = zlib.compressobj()
    streams, data_streams = [], {}

    def read(count):
        out = b""
        while len(out) < count:
            piece = connection.recv(count - len(out))
            if not piece: raise ConnectionError
            out += piece
        return out

    def send_data(stream, flags, data): connection.sendall(struct.pack(">II", stream, flags << 24 | len(data)) + data)

    try:
        while True:
            first, second = struct.unpack(">II", read(8))
            flags, data = second >> 24, read(second & 0xffffff)
            if first >> 31 == 0:  # data
                if first in data_streams:
                    data_streams[first] += data
                    request = data_streams[first]
                    head, mark, rest = request.partition(b"\r\n\r\n")
                    lengths = [int(l.split(b":")[1]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length:")]
                    if mark and len(rest) >= (lengths or [0])[0]:
                        send_data(first, 1, answer(request, pod))
                        data_streams.pop(first)
                continue
            kind = first & 0xffff
            if kind == 1:  # SYN_STREAM
                stream = struct.unpack(">I", data[:4])[0] & 0x7fffffff
                streams.append(stream)
                block = packer.compress(struct.pack(">I", 0)) + packer.flush(zlib.Z_SYNC_FLUSH)
                connection.sendall(struct.pack(">III", 0x80030002, 4 + len(block), stream) + block)
                if len(streams) % 2 == 0: data_streams[stream] = b""
                else: send_data(stream, 1, b"")
            elif kind == 6: connection.sendall(struct.pack(">II", first, second) + data)  # PING
    except (ConnectionError, OSError): pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_): pass

    def reply(self, code, body):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def fail(self, code, reason, message):
        self.reply(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code})

    def route(self):
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        line = json.dumps({"method": self.command, "path": unquote(url.path), "query": url.query,
                           "type": self.headers.get("Content-Type", "")})
        with changed: print(line + "\n", end="", flush=True)
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        if parts == ["api"]: return self.reply(200, {"kind": "APIVersions", "versions": ["v1"]})
        if parts == ["apis"]:
            return self.reply(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
                {"name": g.split("/")[0], "versions": [{"groupVersion": g, "version": g.split("/")[1]}],
                 "preferredVersion": {"groupVersion": g, "version": g.split("/")[1]}} for g in GROUPS]})
        if parts == ["version"]: return self.reply(200, {"major": "1", "minor": "35", "gitVersion": "v1.35.0"})
        if parts[:2] == ["openapi", "v3"]: return self.openapi(parts[2:])
        group = "v1" if parts[0] == "api" else "/".join(parts[1:3])
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        if parts[0] not in ("api", "apis") or group not in GROUPS + ["v1"]: return self.fail(404, "NotFound", "not found")
        if not rest:
            return self.reply(200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": [
                {"name": name, "singularName": k[2], "namespaced": True, "kind": k[1], "shortNames": k[3],
                 "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]} for name, k in KINDS.items() if k[0] == group]})
        if rest[0] != "namespaces" or len(rest) < 3 or rest[2] not in KINDS: return self.fail(404, "NotFound", "no such resource")
        plural, space = rest[2], rest[1]
        if len(rest) == 3: return self.list(plural, space)
        key = (plural, space, rest[3])
        if rest[4:] == ["portforward"]: return self.forward(key)
        if self.command == "PATCH": return self.patch(key)
        with changed:
            found = objects.get(key)
            if found is None: return self.fail(404, "NotFound", f'{plural} "{rest[3]}" not found')
            if self.command == "DELETE": remove(key)
        self.reply(200, found)

    do_GET = do_PATCH = do_DELETE = do_POST = route

    def openapi(self, rest):
        """Says that the server itself validates the fields of what is applied."""
        if not rest:
            paths = ["api/v1"] + ["apis/" + group for group in GROUPS]
            return self.reply(200, {"paths": {path: {"serverRelativeURL": "/openapi/v3/" + path} for path in paths}})
        group = "/".join(rest[1:])
        paths = {}
        for plural, (own, kind, _, _) in KINDS.items():
            if own != group: continue
            head, _, tail = own.rpartition("/")
            paths[f"/{'/'.join(rest)}/namespaces/{{namespace}}/{plural}/{{name}}"] = {"patch": {
                "responses": {}, "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
                "x-kubernetes-group-version-kind": {"group": head, "version": tail, "kind": kind}}}
        self.reply(200, {"openapi": "3.0.0", "info": {"title": "K", "version": "1"}, "paths": paths})

    def list(self, plural, space):
        group, kind = KINDS[plural][:2]
        if self.query.get("watch", ["false"])[0] in ("true", "1"): return self.watch(plural, space)
        with changed:
            items = [o for k, o in sorted(objects.items()) if k[:2] == (plural, space) and fits(o, self.query)]
            self.reply(200, {"apiVersion": group, "kind": kind + "List", "metadata": {"resourceVersion": str(version)}, "items": items})

    def watch(self, plural, space):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def send(kind, body):
            line = json.dumps({"type": kind, "object": body}).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()

        with changed:
            initial = "sendInitialEvents" in self.query
            since = version if initial else int(self.query.get("resourceVersion", ["0"])[0] or 0)
            start = [o for k, o in sorted(objects.items()) if k[:2] == (plural, space) and fits(o, self.query)] if initial else []
        try:
            for body in start: send("ADDED", body)
            if initial:
                group, kind = KINDS[plural][:2]
                send("BOOKMARK", {"apiVersion": group, "kind": kind, "metadata": {
                    "resourceVersion": str(since), "annotations": {"k8s.io/initial-events-end": "true"}}})
            end = time.time() + 300
            while time.time() < end:
                with changed:
                    changed.wait(0.2)
                    fresh = [e for e in events if e[0] > since and e[2][:2] == (plural, space) and fits(e[3], self.query)]
                    since = max(since, version)
                for _, kind, _, body in fresh: send(kind, body)
        except OSError: pass
        self.close_connection = True

    def patch(self, key):
        if any(word in self.path for word in faults().get("refuse", [])): return self.fail(500, "InternalError", "etcd is away")
        if self.headers.get("Content-Type") != "application/apply-patch+yaml": return self.fail(415, "UnsupportedMediaType", "apply only")
        manager, force = self.query.get("fieldManager", [""])[0], self.query.get("force", ["false"])[0] == "true"
        wanted = yaml.safe_load(self.body)
        with changed:
            conflicts = apply(key, wanted, manager, force)
            found = copy.deepcopy(objects[key])
        if not conflicts: return self.reply(200, found)
        words = ", ".join(f'conflict with "{other}": .{".".join(path)}' for other, path in conflicts)
        self.reply(409, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Conflict", "code": 409,
                         "message": f"Apply failed with {len(conflicts)} conflict(s): {words}", "details": {"causes": [
                             {"reason": "FieldManagerConflict", "message": f'conflict with "{other}"', "field": "." + ".".join(path)}
                             for other, path in conflicts]}})

    def forward(self, key):
        if "spdy" not in self.headers.get("Upgrade", "").lower(): return self.fail(400, "BadRequest", "SPDY only")
        with changed: pod = objects.get(key)
        if pod is None: return self.fail(404, "NotFound", "no such pod")
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                         b"X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n")
        self.wfile.flush()
        forward(self.connection, pod)
        self.close_connection = True


def main():
    global faults_file
    parser = argparse.ArgumentParser()
    parser.add_argument("kubeconfig")
    parser.add_argument("--faults", required=True)
    arguments = parser.parse_args()
    faults_file = arguments.faults
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    url = f"http://127.0.0.1:{server.server_port}"
    with open(arguments.kubeconfig, "w") as file:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "test", "clusters": [{"name": "c", "cluster": {"server": url}}],
                   "users": [{"name": "u", "user": {}}], "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}]}, file)
    print("listening on " + url, flush=True)
    threading.Thread(target=control, daemon=True).start()
    server.serve_forever()


main()
