#!/usr/bin/env bash
# The main job, end to end, on real data and a real model: three experiments, a lead who stages one by a tag, a runner
# that packages and serves it, predictions over HTTP, and a worse model that is refused.
#
#   GIT_ML   the binary (default: git-ml of the PATH)
#   DIR      where to work (default: a temporary folder)
#   KEEP=1   keeps the repositories and the served model
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=${GIT_ML:-$(command -v git-ml)}
if [ -n "${DIR:-}" ]; then
  mkdir -p "$DIR"
  if [ -n "$(ls -A "$DIR")" ]; then echo "demo: $DIR is not empty" >&2; exit 1; fi
  top=$(cd "$DIR" && pwd)
else
  top=$(mktemp -d "${TMPDIR:-/tmp}/git-ml-demo.XXXXXX")
fi

finish() {
  status=$?
  if [ -n "${KEEP:-}" ]; then
    echo
    echo "Kept in $top: work (the scientist), clone (the lead), remote.git (with the runner)."
    echo "Use git ml there with: export PATH=$top/bin:$top/venv/bin:\$PATH"
    echo "Stop what is served:   git ml local --stop --repo $top/remote.git"
  else
    [ -d "$top/remote.git" ] && git-ml local --stop --repo "$top/remote.git" >/dev/null 2>&1
    rm -rf "$top"
  fi
  [ $status = 0 ] || echo "demo: failed with status $status" >&2
  exit $status
}
trap finish EXIT

unset $(git rev-parse --local-env-vars)
export GIT_CONFIG_GLOBAL=$top/gitconfig GIT_TERMINAL_PROMPT=0
say() { printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$(printf '%q ' "$@" | sed 's/ $//')"; "$@"; }
as() { git config --global user.name "$1"; git config --global user.email "$1@example.com"; }

mkdir "$top/bin"
ln -s "$binary" "$top/bin/git-ml"
export PATH=$top/bin:$top/venv/bin:$PATH
command -v python3 >/dev/null || { echo "demo: Python 3 is needed" >&2; exit 1; }

say "Python: scikit-learn in an environment of the demo's own"
python3 -m venv "$top/venv"
hash -r
python3 -m pip install --quiet --disable-pip-version-check -r "$here/project/requirements.txt"

say "1. A repository, a bare remote beside it, git ml init"
as ann
git init --quiet --bare --initial-branch=main "$top/remote.git"
cd "$top/remote.git"
run git ml init --bare --runner
git init --quiet --initial-branch=main "$top/work"
cd "$top/work"
git remote add origin "$top/remote.git"
run git ml init
[ "$(git ml init)" = "Everything was in place." ]
cat "$here/project/ml.yaml" >> ml.yaml
cp "$here"/project/*.py "$here"/project/*.txt "$here"/project/params.yaml .

say "2. The first experiment: large files become pointers, the commit is recorded"
run git ml track 'data/*.csv' 'models/**'
python3 make_data.py
run python3 train.py
git add .
run git commit --quiet -m "a small forest"
git cat-file -p HEAD:data/tumor.csv

say "3. Two more experiments: one by hand, one by git ml run, which records the command, its output, time and memory too"
sed -i.bak -e "s/n_estimators: .*/n_estimators: 50/" -e "s/max_depth: .*/max_depth: 4/" params.yaml
rm params.yaml.bak
python3 train.py >/dev/null
git commit --quiet -am "50 trees of depth 4"
run git ml run --name big -p forest.n_estimators=200 -p forest.max_depth=8 -- python3 train.py
git commit --quiet -am "200 trees of depth 8"
run git ml log
run git ml diff HEAD~1 HEAD
run git ml show big
run git ml runs --filter 'metrics.auc > 0.99 and params.forest.max_depth >= 4' --sort metrics.log_loss
run git log -1 --oneline --notes=ml/runs
[ "$(git ml runs --all --json | wc -l)" = 3 ]  # the commit of what the run made is no run of its own

say "4. Push: bytes first, then the records, then git's own refs; clones have everything"
run git push --quiet --set-upstream origin main
cd "$top"
run git ml clone remote.git clone
run git clone --quiet remote.git plain
(cd plain && git ml init >/dev/null)
for copy in clone plain; do
  [ "$(cd work && git ml log)" = "$(cd $copy && git ml log)" ]
  cmp work/data/tumor.csv $copy/data/tumor.csv
  cmp work/models/tumor.joblib $copy/models/tumor.joblib
done
echo "Both clones print the same table and hold the same bytes."

say "5. The lead stages the middle one; the push wakes the runner and returns at once"
as leo
cd "$top/clone"
run git ml register tumor HEAD~1
run git ml stage tumor staging
run git push --quiet --tags

say "6. What the runner does"
run git ml deliveries --follow
run git ml deliveries

address() { git ml local --json --repo "$top/remote.git" | sed -n 's/.*"address":"\([^"]*\)".*/\1/p'; }

say "7. Predictions over HTTP"
git checkout --quiet HEAD~1
run python3 predict.py "$(address)" "$(git rev-parse HEAD)"
git checkout --quiet main

say "   The second time with plain git: the best one"
run git tag -a 'tumor#staging#2' -m 'more trees'
run git push --quiet --tags
run git ml deliveries --follow
run python3 predict.py "$(address)" "$(git rev-parse HEAD)"

say "8. A worse model is refused, and nothing changes in what is served"
cd "$top/work"
as ann
served=$(git rev-parse HEAD)
sed -i.bak -e "s/n_estimators: .*/n_estimators: 1/" -e "s/max_depth: .*/max_depth: 1/" params.yaml
rm params.yaml.bak
run python3 train.py
git commit --quiet -am "a single stump"
git push --quiet
git tag -a 'tumor#staging#3' -m 'cheaper'
if run git push --quiet --tags; then echo "demo: the push did not tell of the gate" >&2; exit 1; fi
run git push --quiet --no-verify --tags
if git ml deliveries --follow; then echo "demo: the worse model was not refused" >&2; exit 1; fi
run git ml deliveries
git checkout --quiet "$served"
run python3 predict.py "$(address)" "$served"
