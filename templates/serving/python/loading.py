"""Loads a model by what its file or folder is; a library that is missing ends the program with a sentence.

joblib and pickle files, ONNX files, and folders that MLflow has written (`MLmodel` stands in them). For anything else a
serve_model.py among the team's own files defines load(path) and predict(model, rows).
"""


class Loaded:
    """A model with `predict(rows)`; `columns` are the names of its inputs where it knows them, `width` their number."""

    def __init__(self, predict, columns=(), width=None):
        self.predict = predict
        self.columns = [str(name) for name in columns]
        self.width = width or len(self.columns) or None


def load(path):
    try:
        from serve_model import load as own_load, predict as own_predict
    except ModuleNotFoundError as error:
        if error.name != "serve_model":
            raise
    else:
        model = own_load(str(path))
        names = getattr(model, "feature_names_in_", ())
        return Loaded(lambda rows: own_predict(model, rows), names, getattr(model, "n_features_in_", None))
    try:
        if path.is_dir():
            if (path / "MLmodel").is_file():
                return mlflow_folder(path)
            raise SystemExit(f"server.py: {path} has no MLmodel: add a serve_model.py with load(path) and predict(model, rows)")
        loader = {".joblib": joblib_file, ".jl": joblib_file, ".pkl": pickle_file, ".pickle": pickle_file, ".onnx": onnx_file}
        if path.suffix in loader:
            return loader[path.suffix](path)
    except ImportError as error:
        raise SystemExit(f"server.py: loading {path.name} needs the package {error.name}: add it to the requirements")
    except Exception as error:
        raise SystemExit(f"server.py: {path} cannot be loaded: {type(error).__name__}: {error}")
    raise SystemExit(f"server.py: no loader for {path.name}: add a serve_model.py with load(path) and predict(model, rows)")


def estimator(model):
    """Anything with scikit-learn's `predict`."""
    names = getattr(model, "feature_names_in_", ())

    def predict(rows):
        if len(names):
            try:
                import pandas
                rows = pandas.DataFrame(rows, columns=[str(name) for name in names])
            except ImportError:
                pass
        return model.predict(rows)

    return Loaded(predict, names, getattr(model, "n_features_in_", None))


def joblib_file(path):
    import joblib
    return estimator(joblib.load(path))


def pickle_file(path):
    import pickle
    with open(path, "rb") as file:
        return estimator(pickle.load(file))


def onnx_file(path):
    """One input of rows, or one input a column; the first output is the prediction."""
    import numpy
    import onnxruntime
    session = onnxruntime.InferenceSession(str(path), providers=onnxruntime.get_available_providers())
    inputs = session.get_inputs()
    kinds = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(int64)": "int64", "tensor(int32)": "int32"}
    output = session.get_outputs()[0].name

    def convert(array, node):
        if node.type not in kinds:
            raise ValueError(f"the input {node.name} has the type {node.type}, which rows of numbers do not fit")
        return numpy.ascontiguousarray(array, dtype=kinds[node.type])

    def predict(rows):
        if len(inputs) == 1:
            feed = {inputs[0].name: convert(rows, inputs[0])}
        else:
            feed = {node.name: convert(rows[:, [i]], node) for i, node in enumerate(inputs)}
        return session.run([output], feed)[0]

    if len(inputs) > 1:
        return Loaded(predict, [node.name for node in inputs])
    shape = inputs[0].shape
    return Loaded(predict, (), shape[1] if len(shape) == 2 and isinstance(shape[1], int) else None)


def mlflow_folder(path):
    """What `mlflow.<flavor>.save_model` wrote: through MLflow where it is installed, else the pickled model in it."""
    try:
        import mlflow.pyfunc
    except ImportError:
        for name, read in (("model.pkl", pickle_file), ("model.joblib", joblib_file)):
            if (path / name).is_file():
                return read(path / name)
        raise
    model = mlflow.pyfunc.load_model(str(path))
    schema = model.metadata.get_input_schema()
    names = schema.input_names() if schema and not schema.is_tensor_spec() else []
    kinds = dict(zip(names, schema.pandas_types())) if names else {}

    def predict(rows):
        if names:
            import pandas
            rows = pandas.DataFrame(rows, columns=names).astype(kinds)
        return model.predict(rows)

    return Loaded(predict, names)
