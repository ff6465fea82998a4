"""Asks a server that runs at a port (first argument) for what the kind of model (second) must answer, with the clients that
people use: tritonclient (JSON and binary tensors), MLflow's scoring client, and plain HTTP. Ends with an assertion that fails.
"""

import json
import re
import sys
import urllib.error
import urllib.request

import numpy
import tritonclient.http as triton
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

port, kind = int(sys.argv[1]), sys.argv[2]
rows = numpy.array([[0.9, 0.2, 0.3], [0.1, 0.8, 0.5]])
wanted = {"pickle": [1.8, 0.2], "own": [2.7, 0.3]}.get(kind, [1, 0])
address = f"http://127.0.0.1:{port}"


def fetch(path, body=None, **headers):
    request = urllib.request.Request(address + path, body if body is None else json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


client = triton.InferenceServerClient(f"127.0.0.1:{port}")
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(kind)
assert client.get_model_metadata(kind)["name"] == kind
asked = 0
for sends_binary in (False, True):
    for wants_binary in (False, True):
        tensor = triton.InferInput("input", list(rows.shape), "FP64")
        tensor.set_data_from_numpy(rows, binary_data=sends_binary)
        output = triton.InferRequestedOutput("predict", binary_data=wants_binary)
        result = client.infer(kind, [tensor], model_version="v1.2.0", outputs=[output]).as_numpy("predict")
        assert numpy.allclose(result.ravel(), wanted), result
        asked += 1

scored = ScoringServerClient("127.0.0.1", port).invoke(
    __import__("pandas").DataFrame(rows, columns=list("abc"))).get_predictions()
assert numpy.allclose(scored.to_numpy().ravel(), wanted), scored
asked += 1

# Columns go by their names where the model knows them.
if kind in ("pickle", "mlflow"):
    body = {"dataframe_split": {"columns": ["c", "b", "a"], "data": rows[:, ::-1].tolist()}}
    status, text, headers = fetch("/invocations", body, **{"Content-Type": "application/json"})
    assert status == 200 and numpy.allclose(json.loads(text)["predictions"], wanted), text
    asked += 1
    status, text, _ = fetch("/invocations", {"dataframe_split": {"columns": ["a"], "data": [[1]]}})
    assert status == 400 and "missing" in text, text
status, text, headers = fetch("/version")
assert status == 200 and headers["X-Model-Version"] == "v1.2.0" and headers["X-Model-Revision"] == "0123abcd"

_, metrics, _ = fetch("/metrics")


def value(name):
    found = re.search("^" + re.escape(name) + r" ([0-9.]+)$", metrics, re.M)
    assert found, f"{name} is not among\n{metrics}"
    return float(found[1])


assert value(f'model_info{{name="{kind}",version="v1.2.0",revision="0123abcd"}}') == 1
first = {"pickle": "a", "mlflow": "a"}.get(kind, "0")
total = sum(float(n) for n in re.findall(r'^model_input_count\{column="(?:a|0)"\} ([0-9.]+)$', metrics, re.M))
assert total == 2 * asked, (total, asked)
if kind == "pickle":  # the profile's edges
    assert value('model_input_bucket{column="a",le="0.25"}') == asked
    assert value('model_input_bucket{column="a",le="0.75"}') == asked
    assert value('model_prediction_bucket{output="predict",le="0.5"}') == asked
    assert value('model_prediction_count{output="predict"}') == 2 * asked
elif kind != "own":
    assert value('model_prediction_total{class="1"}') == asked
print("asked", asked)
