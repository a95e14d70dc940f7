"""The page in a real browser: a row is typed, its prediction and reasons are seen, and the model card."""

from __future__ import annotations

import shutil

import pytest

from tests.test_serve_process import folder, server  # noqa: F401

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1100,1400"
)

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver here")


@pytest.fixture
def browser(server, tmp_path):  # noqa: F811
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    browser.implicitly_wait(10)
    browser.get(f"http://127.0.0.1:{server}/")
    yield browser
    browser.quit()


def test_a_person_types_a_row_and_sees_its_prediction_reasons_and_the_card(browser):
    def seen(selector: str) -> list:
        return browser.find_elements("css selector", selector)

    age = seen("[name=age]")[0]
    age.clear()
    age.send_keys("61")
    seen("[name=plan] option[value=gold]")[0].click()
    seen("#predict")[0].click()
    assert seen("#said")[0].text == "yes"
    assert any("age = 61" in one.text for one in seen(".reason"))
    assert len(seen(".bar svg")) >= 3
    age.clear()
    age.send_keys("old")
    seen("#predict")[0].click()
    assert "age: must be a finite number" in seen(".wrong")[0].text
    seen("#card summary")[0].click()
    assert "Model card: churn" in seen("#card h2")[0].text
    assert [
        one
        for one in browser.get_log("browser")
        if one["level"] in ("SEVERE", "WARNING") and "422" not in one["message"]
    ] == []
