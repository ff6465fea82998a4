"""Writes apps as the Python template serves them, one of each kind of model, below the folder that is the first argument."""

import json
import os
import pickle
import shutil
import sys

import joblib
import mlflow.sklearn
import numpy
import pandas
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression, LogisticRegression

TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "templates", "serving", "python")
top = sys.argv[1]
rows = numpy.random.RandomState(0).rand(200, 3)
frame = pandas.DataFrame(rows, columns=list("abc"))
classes = (rows[:, 0] > 0.5).astype(int)


def app(name, path, save, code=None, **files):
    folder = f"{top}/{name}/app"
    os.makedirs(f"{folder}/serve")
    os.makedirs(f"{folder}/model")
    for file in os.listdir(TEMPLATE):
        if file.endswith(".py"):
            shutil.copy(f"{TEMPLATE}/{file}", f"{folder}/serve")
    save(f"{folder}/model/{path}")
    files["model"] = {"name": name, "version": "v1.2.0", "revision": "0123abcd", "path": f"model/{path}", "oid": ""}
    for file, content in files.items():
        with open(f"{folder}/{file}.json", "w") as output:
            json.dump(content, output)
    if code:
        os.makedirs(f"{folder}/code")
        with open(f"{folder}/code/serve_model.py", "w") as output:
            output.write(code)


def onnx(path):
    with open(path, "wb") as file:
        file.write(to_onnx(LogisticRegression().fit(rows, classes), rows[:1].astype("float32")).SerializeToString())


def regression(path):
    with open(path, "wb") as file:
        pickle.dump(LinearRegression().fit(frame, rows[:, 0] * 2), file)


edges = {"columns": {"a": {"edges": [0.25, 0.5, 0.75]}}, "prediction": {"edges": [0.5, 1, 1.5]}}
warm = {"dataframe_split": {"columns": ["c", "b", "a"], "data": [[0.1, 0.2, 0.3]]}}
app("joblib", "m.joblib", lambda path: joblib.dump(LogisticRegression().fit(rows, classes), path))
app("pickle", "m.pkl", regression, profile=edges, warmup=warm)
app("onnx", "m.onnx", onnx)
app("mlflow", "m", lambda path: mlflow.sklearn.save_model(
    LogisticRegression().fit(frame, classes), path, serialization_format="cloudpickle",
    signature=mlflow.models.infer_signature(frame, classes)))
app("own", "m.txt", lambda path: open(path, "w").write("3"), code=(
    "def load(path):\n    return float(open(path).read())\n\n\n"
    "def predict(model, rows):\n    return [model * row[0] for row in rows]\n"))
