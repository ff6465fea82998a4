"""Looks at every page of `git ml ui` in a real browser; says what holds, line by line, and fails at the first that does not.

    pages.py DIR
"""

import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import browser
import gallery

REFUSED = "metrics.auc >> 1"


class Site:
    def __init__(self, driver, address):
        self.driver, self.address = driver, address

    def open(self, path, ready):
        self.driver.get(self.address + path)
        self.wait(f"document.querySelector({ready!r})", path)

    def wait(self, what, why):
        return browser.wait(self.driver, what, why)

    def js(self, script):
        return self.driver.execute_script(script)

    def texts(self, selector):
        return self.js(f"return [...document.querySelectorAll({selector!r})].map((one) => one.textContent.trim())")

    def is_clean(self, where):
        """No script out of the repository has run, nothing was refused by the policy, and no error was reported."""
        assert "owned" not in self.driver.title.split(" · ")[0] or gallery.HOSTILE in self.driver.title, self.driver.title
        errors = [entry["message"] for entry in self.driver.get_log("browser")
                  if entry["level"] in ("SEVERE", "WARNING") and "filter=" + urllib.parse.quote_plus(REFUSED) not in entry["message"]]
        assert not errors, f"{where}: {errors}"
        assert self.js("return document.querySelectorAll('main script, main style, main [onclick], main [onerror]').length") == 0, where
        unnamed = self.js("""return [...document.querySelectorAll('a, button, input, select, iframe')].filter((one) => one.offsetParent &&
            !(one.textContent.trim() || one.getAttribute('aria-label') || one.title || one.labels?.length)).map((one) => one.outerHTML)""")
        assert not unnamed, f"{where}: without a name: {unnamed}"
        print("ok", where, flush=True)


def experiments(site):
    site.open("/", "tbody tr[data-id]")
    names = site.texts("tbody tr[data-id] .name")
    assert gallery.HOSTILE in names and "deeper" in names, names
    best = site.wait("document.querySelector('td.best') && [...document.querySelectorAll('td.best')].length", "nothing is the best")
    assert best >= 3, best
    site.js("[...document.querySelectorAll('thead button')].find((one) => one.textContent === 'auc').click()")
    site.wait("document.querySelector('th[aria-sort=descending]') && location.search.includes('sort=metrics.auc')", "not sorted")
    values = [float(text) for text in site.js("""const at = [...document.querySelectorAll('thead th')].findIndex((one) => one.ariaSort);
        return [...document.querySelectorAll('tbody tr[data-id]')].map((row) => row.children[at].textContent).filter(Boolean)""")]
    assert values == sorted(values, reverse=True) and len(values) > 2, values
    site.is_clean("experiments")
    site.js(f"""const query = document.getElementById('query'); query.value = {REFUSED!r}; query.form.requestSubmit()""")
    said = site.wait("!document.getElementById('problem').hidden && document.getElementById('problem').textContent", "no error")
    assert said.split("\n")[1].index("^") == 12, said
    site.js("""const query = document.getElementById('query'); query.value = "params.kind = 'rf'"; query.form.requestSubmit()""")
    site.wait("document.getElementById('problem').hidden && [...document.querySelectorAll('tbody tr[data-id]')].length < 4", "not filtered")
    site.is_clean("filter")


def run(site):
    site.open("/runs/deeper", "#charts canvas")
    browser.is_drawn(site.driver, "#charts")
    assert site.texts("#params td code") == ["6", "gbm", "0.08"], site.texts("#params td code")
    assert "epoch 8/8" in site.texts("pre.log")[-1]
    assert any("+++ b/params.yaml" in text for text in site.texts("pre.diff span"))
    site.js("for (const file of document.querySelectorAll('details.file')) file.open = true")
    site.wait("document.querySelector('.preview td')?.textContent === 'left'", "no table of the CSV file")
    site.wait("document.querySelector('.file img')?.naturalWidth === 240", "no picture")
    frame = site.wait("document.querySelector('iframe')", "no frame")
    assert frame.get_attribute("sandbox") == ""
    site.driver.switch_to.frame(frame)
    site.wait("document.querySelector('h1')?.textContent === 'Report'", "the report is not shown")
    site.driver.switch_to.default_content()
    # The report tries to run a script; Chromium may say on the console that the frame refused it.
    for entry in site.driver.get_log("browser"):
        assert "Blocked script execution" in entry["message"], entry
    site.is_clean("run")


def compare(site):
    site.open("/", "tbody tr[data-id]")
    site.js("for (const i of [0, 1, 2]) document.querySelectorAll('#runs tbody input')[i].click()")
    site.js("document.getElementById('compare').click()")
    site.wait("document.querySelector('#parallel canvas')", "no parallel coordinates")
    for place in ("#charts", "#scatter", "#parallel"):
        browser.is_drawn(site.driver, place)
    assert "params" not in site.texts(".compared .group th") and "Parameters" in site.texts(".compared .group th")
    assert gallery.HOSTILE in site.texts(".compared thead a")
    assert len(site.texts(".compared td.best")) >= 3
    site.js("const smooth = document.querySelector('#controls input[type=range]'); smooth.value = .8; smooth.dispatchEvent(new Event('input'))")
    site.wait("location.hash === '#smooth=0.8'", "the smoothing is not kept")
    site.is_clean("compare")


def others(site):
    site.open("/data", "tbody tr")
    assert "data/customers.csv" in site.texts("tbody a") and "4 runs" in " ".join(site.texts("tbody td")), site.texts("tbody td")
    site.is_clean("data")
    site.js("[...document.querySelectorAll('tbody a')].find((one) => one.textContent === 'data/customers.csv').click()")
    site.wait("document.querySelector('h1')?.textContent === 'data/customers.csv'", "no page of the file")
    assert "deeper" in site.texts("tbody a")
    site.is_clean("data file")
    site.open("/models", ".tile")
    assert any("prod" in text for text in site.texts(".tile .stage")), site.texts(".tile")
    site.is_clean("models")
    site.open("/models/churn", "table")
    assert "v1.1.0" in site.texts("td b") and "deeper" in site.texts("td a"), site.texts("td")
    site.is_clean("model")
    site.open("/deliveries", "tbody tr")
    assert sorted(site.texts("tbody td:first-child")) == ["churn#prod#2", "churn#staging#1"]
    site.js("document.querySelector('tbody a').click()")
    site.wait("document.querySelector('.timeline')", "no steps")
    assert {"verify", "package", "promote"} <= set(site.texts(".timeline b")), site.texts(".timeline b")
    site.is_clean("delivery")


def live(site, work):
    """A run is seen while it logs, by the run's page and by the table."""
    goal = work.parent / "stop"
    script = f'i=0; until [ -e "{goal}" ]; do i=$((i+1)); echo "{{\\"step\\": $i, \\"loss\\": 0.$i}}" >> "$GIT_ML_RUN/metrics.jsonl"; echo "line $i"; sleep 0.1; done'
    site.open("/", "tbody tr[data-id]")
    going = subprocess.Popen(["git-ml", "run", "--name", "going", "--", "sh", "-c", script], cwd=work,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        site.wait("document.querySelector('tbody tr[data-id] .name')?.textContent === 'going'", "the table does not follow")
        assert "1 run going on" in site.texts("#live")
        site.js("document.querySelector('tbody .name a').click()")
        site.wait("document.querySelector('#charts canvas')", "no curve yet")
        step = "Number([...document.querySelectorAll('#metrics td')].at(-1)?.textContent)"
        before = site.wait(step, "no step")
        site.wait(f"{step} > {before} + 3", "the metrics do not follow")
        site.wait("document.querySelector('pre.log')?.textContent.includes('line 5')", "the log does not follow")
    finally:
        goal.touch()
        going.wait(browser.PATIENCE)
    site.wait("document.querySelector('.badge.good')", "the end is not seen")
    site.is_clean("live")


def many(driver, top):
    """Thousands of runs scroll without being brought all at once."""
    repository = top / "many"
    maker = pathlib.Path(__file__).parent.parent / "Benchmarks" / "make_runs.py"
    subprocess.run([sys.executable, maker, repository, "--runs", "2000", "--params", "3", "--metrics", "3"], check=True, stdout=subprocess.DEVNULL)
    with browser.served(repository) as address:
        site = Site(driver, address)
        site.open("/", "tbody tr[data-id]")
        assert site.texts("#total") == ["2,000 runs"]
        site.js("document.getElementById('grid').scrollTop = 1e9")
        site.wait("[...document.querySelectorAll('tbody tr[data-id] .name')].at(-1)?.textContent === 'run-0'", "the last row does not come")
        assert site.js("return document.querySelectorAll('tbody tr').length") < 100
        site.is_clean("many")
        driver.get("about:blank")


def export(driver, work, top):
    """The same pages as files: all links lead somewhere, the table sorts, and curves are drawn."""
    public = top / "public"
    subprocess.run(["git-ml", "ui", "--export", public], cwd=work, check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen([sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"], cwd=public,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = server.stdout.readline().split(" port ")[1].split()[0]
        site = Site(driver, f"http://127.0.0.1:{port}")
        for page in public.rglob("*.html"):
            for link in re.findall(r'(?:href|src|data-curves|data-rows)="([^"#]+)"', page.read_text()):
                assert (page.parent / link).is_file(), f"{page}: {link}"
        site.open("/index.html", "tbody tr[data-id]")
        site.js("[...document.querySelectorAll('thead button')].find((one) => one.textContent === 'auc').click()")
        site.wait("document.querySelector('tbody tr[data-id] .name').textContent === 'deeper'", "not sorted")
        site.is_clean("export")
        site.js("document.querySelector('tbody tr[data-id] a').click()")
        site.wait("document.querySelector('#charts canvas')", "no curve")
        site.is_clean("exported run")
        driver.get("about:blank")
    finally:
        server.terminate()
        server.wait(browser.PATIENCE)


def refuses(address):
    """Other names and pages of other sites get nothing."""
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        for path in ("/", "/runs.json", "/events"):
            try:
                urllib.request.urlopen(urllib.request.Request(address + path, headers=headers), timeout=browser.PATIENCE)
            except urllib.error.HTTPError as refusal:
                assert refusal.code == 403 and b"churn" not in refusal.read(), path
            else:
                raise AssertionError(f"{path} answered {headers}")
    print("ok refuses", flush=True)


if __name__ == "__main__":
    top = pathlib.Path(sys.argv[1])
    work = gallery.make(top / "gallery", names=("boosted", "deeper", gallery.HOSTILE))
    print("ok gallery", flush=True)
    with browser.browser() as driver:
        with browser.served(work) as address:
            refuses(address)
            site = Site(driver, address)
            experiments(site)
            run(site)
            compare(site)
            others(site)
            live(site, work)
            driver.get("about:blank")
        export(driver, work, top)
        many(driver, top)
