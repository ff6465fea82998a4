"""Takes a picture of each page of a gallery.

    screenshots.py DIR
"""

import pathlib
import sys
import tempfile

import browser
import gallery

PAGES = {
    "experiments": ("/", "tbody tr[data-id]"), "run": ("/runs/deepest", "#charts canvas"),
    "compare": (None, "#parallel canvas"), "data": ("/data", "table"), "models": ("/models", ".tile"),
    "model": ("/models/churn", "table"), "deliveries": ("/deliveries", "table"), "delivery": (None, ".timeline"),
    "empty": ("/compare", ".empty"), "filter": ("/?filter=metrics.auc%20%3E%3E%200.9", "#problem:not([hidden])"),
}


def take(driver, address, out, suffix=""):
    for name, (path, ready) in PAGES.items():
        if name == "compare":
            driver.get(address + "/")
            browser.wait(driver, "document.querySelectorAll('tbody tr[data-id]').length > 4", "no rows")
            driver.execute_script("for (const i of [1, 2, 3, 4, 5]) document.querySelectorAll('#runs tbody input')[i].click()")
            driver.execute_script("document.getElementById('compare').click()")
        elif name == "delivery":
            driver.get(address + "/deliveries")
            driver.execute_script("document.querySelector('tbody a').click()")
        else:
            driver.get(address + path)
        browser.wait(driver, f"document.querySelector({ready!r})", name)
        driver.execute_script("return new Promise((done) => setTimeout(done, 400))")
        driver.save_screenshot(str(out / f"{name}{suffix}.png"))


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as top, browser.served(gallery.make(top)) as address:
        with browser.browser() as driver:
            take(driver, address, out)
        with browser.browser(dark=True) as driver:
            take(driver, address, out, "-dark")
        with browser.browser(390, 844) as driver:
            take(driver, address, out, "-phone")
    print(f"wrote {len(list(out.glob('*.png')))} pictures to {out}")
