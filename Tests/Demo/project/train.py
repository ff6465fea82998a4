"""Trains a classifier of tumours: reads params.yaml, writes metrics.json and models/tumor.joblib."""

import json
import os

import joblib
import numpy
import yaml
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

with open("params.yaml") as file:
    params = yaml.safe_load(file)

table = numpy.loadtxt("data/tumor.csv", delimiter=",", skiprows=1)
x_train, x_test, y_train, y_test = train_test_split(
    table[:, :-1], table[:, -1].astype(int), test_size=0.3, random_state=params["seed"])

model = RandomForestClassifier(**params["forest"], random_state=params["seed"])
model.fit(x_train, y_train)

chances = model.predict_proba(x_test)[:, 1]
metrics = {
    "accuracy": round(float(accuracy_score(y_test, chances > 0.5)), 4),
    "auc": round(float(roc_auc_score(y_test, chances)), 4),
    "log_loss": round(float(log_loss(y_test, chances)), 4),
}
with open("metrics.json", "w") as file:
    json.dump(metrics, file, indent=2)
os.makedirs("models", exist_ok=True)
joblib.dump(model, "models/tumor.joblib")
print(metrics)
