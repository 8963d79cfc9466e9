"""A browser without a window, for pages on the disk; it downloads nothing and asks nobody."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.request import pathname2url

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("chromium", "chromium-browser", "google-chrome")
DRIVER = shutil.which("chromedriver")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
HOW_TO_HAVE_ONE = (
    "needs chromium and chromedriver: on Debian, apt-get install chromium chromium-driver"
)
IS_THERE = DRIVER is not None and BROWSER is not None


class Browser:
    """A page as somebody sees it who has it open."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        """Take a browser that runs."""
        self.driver = driver

    def open(
        self, path: str, *, scheme: str = "light", width: int = 1280, height: int = 900
    ) -> None:
        """Open a file; what the console and the network said before is forgotten."""
        wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get("about:blank")
        self.console(), self.requests()
        self.driver.get(f"file://{pathname2url(os.path.abspath(path))}")

    def console(self) -> list[str]:
        """Return what the console said since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since this was last called."""
        messages = [
            json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")
        ]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def run(self, script: str, *arguments: object) -> object:
        """Run a script in the page and return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        actions = webdriver.ActionChains(self.driver)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def column(self, table: str, index: int) -> list[str]:
        """Return the texts of a column in the order of the rows."""
        script = (
            "return [...document.querySelectorAll(arguments[0] + ' tbody tr')]"
            ".map((row) => row.cells[arguments[1]].textContent)"
        )
        return self.run(script, table, index)


@contextmanager
def browser(home: str) -> Iterator[Browser]:
    """Start a browser whose profile and HOME are in a folder, and stop it again."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in (
        *("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        f"--user-data-dir={home}/profile",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    environ = {"HOME": home, "PATH": os.environ["PATH"], "TMPDIR": home, "SE_OFFLINE": "true"}
    service = Service(executable_path=DRIVER, env=environ)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
