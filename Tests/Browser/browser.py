"""A headless Chromium, and a `git-ml ui` for it."""

import contextlib
import os
import subprocess
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 90  # seconds; a loaded machine needs them


@contextlib.contextmanager
def served(work):
    """The address of a `git-ml ui` for a repository."""
    server = subprocess.Popen(["git-ml", "ui", "--port", "0"], cwd=work, stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        assert server.wait(PATIENCE) in (0, -15, 143), server.returncode


@contextlib.contextmanager
def browser(width=1440, height=900, dark=False):
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
                 "--disable-background-networking", f"--window-size={width},{height}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        driver.set_page_load_timeout(PATIENCE)
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                               {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700})
        if dark:
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        yield driver
    finally:
        driver.quit()


def wait(driver, what, why):
    """Waits until a script's value is true, and returns it."""
    return WebDriverWait(driver, PATIENCE, 0.05).until(lambda _: driver.execute_script(f"return {what}"), why)


def is_drawn(driver, place):
    """Waits until a chart has its curves on its canvas."""
    wait(driver, f"""(() => {{ const canvas = document.querySelector({place!r} + ' canvas');
        return canvas && canvas.width > 0 && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean) }})()""",
         f"nothing is drawn in {place}")
