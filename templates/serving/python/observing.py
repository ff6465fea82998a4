"""What the server tells of itself: counters and latencies, how inputs and predictions are distributed, samples of requests."""

import bisect
import json
import math
import os
import threading
import time

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
# Where no profile says what is usual: steps of 1 and 3 in every power of ten.
USUAL = tuple(sorted([0.0] + [sign * m * 10.0**e for sign in (-1, 1) for e in range(-2, 6) for m in (1, 3)]))
MAX_COLUMNS = int(os.environ.get("MAX_OBSERVED_COLUMNS", 100))
MAX_CLASSES = 50


def quote(value):
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Histogram:
    """Counts of values up to each edge; edges are sorted numbers."""

    def __init__(self, edges):
        self.edges = tuple(sorted(edges))
        self.counts = [0] * (len(self.edges) + 1)
        self.sum = 0.0

    def add(self, value):
        self.counts[bisect.bisect_left(self.edges, value)] += 1
        self.sum += value

    def add_all(self, values):
        """Values of a numpy array without NaN."""
        import numpy
        places = numpy.searchsorted(self.edges, values, side="left")
        for place, count in zip(*numpy.unique(places, return_counts=True)):
            self.counts[place] += int(count)
        self.sum += float(values.sum())

    def lines(self, name, labels):
        total = 0
        for edge, count in zip(self.edges, self.counts):
            total += count
            yield f'{name}_bucket{{{labels},le="{edge}"}} {total}'
        total += self.counts[-1]
        yield f'{name}_bucket{{{labels},le="+Inf"}} {total}'
        yield f"{name}_sum{{{labels}}} {self.sum:.6f}"
        yield f"{name}_count{{{labels}}} {total}"


class Metrics:
    """Everything that /metrics says. `profile` names the edges of columns: {"columns": {"age": {"edges": […]}}, "prediction": …}."""

    def __init__(self, profile=None):
        self.lock = threading.Lock()
        self.profile = profile or {}
        self.requests = {}
        self.latency = {}
        self.inputs = {}
        self.nulls = {}
        self.predictions = None
        self.classes = {}
        self.in_flight = 0

    def count(self, path, status, seconds):
        with self.lock:
            self.requests[path, status] = self.requests.get((path, status), 0) + 1
            if path not in self.latency:
                self.latency[path] = Histogram(LATENCIES)
            self.latency[path].add(seconds)

    def observe(self, columns, rows, result):
        """Takes in one request's rows (2-d, numbers) and its predictions."""
        import numpy
        with self.lock:
            for i in range(min(rows.shape[1], MAX_COLUMNS)):
                name = columns[i] if i < len(columns) else str(i)
                if name not in self.inputs:
                    edges = (self.profile.get("columns") or {}).get(name, {}).get("edges") or USUAL
                    self.inputs[name], self.nulls[name] = Histogram(edges), 0
                values = rows[:, i].astype(float, copy=False)
                known = values[~numpy.isnan(values)]
                self.nulls[name] += len(values) - len(known)
                self.inputs[name].add_all(known)
            flat = numpy.asarray(result).ravel()
            if flat.dtype.kind == "f":
                if self.predictions is None:
                    self.predictions = Histogram((self.profile.get("prediction") or {}).get("edges") or USUAL)
                self.predictions.add_all(flat[numpy.isfinite(flat)])
                return
            for value, count in zip(*numpy.unique(flat.astype(str), return_counts=True)):
                key = str(value) if str(value) in self.classes or len(self.classes) < MAX_CLASSES else "other"
                self.classes[key] = self.classes.get(key, 0) + int(count)

    def text(self, model):
        lines = [
            "# TYPE model_info gauge",
            f'model_info{{name="{quote(model.name)}",version="{quote(model.version)}",revision="{quote(model.revision)}"}} 1',
        ]
        with self.lock:
            lines.append("# TYPE request_total counter")
            lines += [f'request_total{{path="{quote(p)}",code="{s}"}} {n}' for (p, s), n in sorted(self.requests.items())]
            lines += ["# TYPE request_in_flight gauge", f"request_in_flight {self.in_flight}"]
            lines.append("# TYPE request_duration_seconds histogram")
            for path, histogram in sorted(self.latency.items()):
                lines += histogram.lines("request_duration_seconds", f'path="{quote(path)}"')
            lines.append("# TYPE model_input histogram")
            for name, histogram in self.inputs.items():
                lines += histogram.lines("model_input", f'column="{quote(name)}"')
            lines.append("# TYPE model_input_null_total counter")
            lines += [f'model_input_null_total{{column="{quote(name)}"}} {n}' for name, n in self.nulls.items()]
            if self.predictions:
                lines.append("# TYPE model_prediction histogram")
                lines += self.predictions.lines("model_prediction", 'output="predict"')
            if self.classes:
                lines.append("# TYPE model_prediction_total counter")
                lines += [f'model_prediction_total{{class="{quote(c)}"}} {n}' for c, n in sorted(self.classes.items())]
        return "\n".join(lines) + "\n"


class Sampler:
    """Appends a share of the requests to a file, one JSON object a line; off without SAMPLE_FILE.

    SAMPLE_RATE is the share (0.01), SAMPLE_MAX_BYTES what the file may grow to (64 MiB). A file that cannot be written ends the
    sampling, not the server.
    """

    def __init__(self):
        self.path = os.environ.get("SAMPLE_FILE")
        self.rate = float(os.environ.get("SAMPLE_RATE", 0.01))
        self.limit = int(os.environ.get("SAMPLE_MAX_BYTES", 64 << 20))
        self.lock = threading.Lock()
        self.due = 0.0

    def take(self, columns, rows, result):
        if not self.path:
            return
        with self.lock:
            # Every nth, not by chance: a test and an auditor can count on it.
            self.due += self.rate
            if self.due < 1:
                return
            self.due -= math.floor(self.due)
            line = json.dumps({"t": time.time(), "columns": list(columns), "rows": rows.tolist(), "predictions": result.tolist()})
            try:
                with open(self.path, "a") as file:
                    if file.tell() + len(line) > self.limit:
                        raise OSError(f"it has reached {self.limit} bytes")
                    file.write(line + "\n")
            except OSError as error:
                print(f"server.py: {self.path}: {error}; no more samples are kept", flush=True)
                self.path = None
