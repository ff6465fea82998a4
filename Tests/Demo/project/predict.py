"""Compares the served predictions for the first 20 rows with scikit-learn's own: predict.py ADDRESS REVISION."""

import json
import sys
import urllib.request

import joblib
import numpy

address, revision = sys.argv[1:]
rows = numpy.loadtxt("data/tumor.csv", delimiter=",", skiprows=1)[:20, :-1]
tensor = {"name": "input", "datatype": "FP64", "shape": list(rows.shape), "data": rows.ravel().tolist()}
request = urllib.request.Request(
    address + "/v2/models/tumor/infer", json.dumps({"inputs": [tensor]}).encode(), {"Content-Type": "application/json"})
with urllib.request.urlopen(request) as response:
    served = json.load(response)["outputs"][0]["data"]
    built_from = response.headers["X-Model-Revision"]
own = joblib.load("models/tumor.joblib").predict(rows).tolist()
if served != own:
    sys.exit(f"served {served}, scikit-learn says {own}")
if built_from != revision:
    sys.exit(f"served by {built_from}, not by {revision}")
print(f"20 of 20 predictions equal scikit-learn's own; served from revision {built_from[:10]}")
