"""Writes scikit-learn's breast-cancer data as CSV, and a request whose answer is known."""

import json
import os

import numpy
from sklearn.datasets import load_breast_cancer

data = load_breast_cancer()
os.makedirs("data", exist_ok=True)
os.makedirs("tests", exist_ok=True)
header = ",".join(name.replace(" ", "_") for name in data.feature_names) + ",benign"
table = numpy.column_stack([data.data, data.target])
numpy.savetxt("data/tumor.csv", table, delimiter=",", header=header, comments="", fmt="%.8g")

# A plainly malignant and a plainly benign tumour: every model worth serving gets these right.
rows = [data.data[0].tolist(), data.data[19].tolist()]
golden = {"path": "/invocations", "body": {"inputs": rows}, "expect": {"status": 200, "body": {"predictions": [0, 1]}}}
with open("tests/request.json", "w") as file:
    json.dump(golden, file, indent=2)
