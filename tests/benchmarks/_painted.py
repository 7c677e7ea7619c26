"""A browser that tells when a page is painted: its script has ended and every chart on it is drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

_PAINTED = """
const state = () => document.querySelector('[data-testid="stApp"]')?.getAttribute('data-test-script-state');
const frame = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
const drawn = () => state() === 'notRunning'
    && !document.querySelector('[data-testid="stSkeleton"]')
    && [...document.querySelectorAll('.js-plotly-plot')].every(one => one.querySelector('.main-svg'));
const title = () => document.querySelector('h1')?.innerText;
const until = async (test) => {
    const end = performance.now() + 60000;
    while (!test()) { if (performance.now() > end) throw new Error('never painted'); await frame(); }
    await frame();
};
"""
_LOADED = f"async () => {{ {_PAINTED} await until(() => title() && drawn()); return performance.now(); }}"
_CHANGED = f"""async (label) => {{ {_PAINTED}
    const link = [...document.querySelectorAll('[data-testid="stSidebarNavLink"]')]
        .find(one => one.innerText.trim().endsWith(label));
    const start = performance.now();
    link.click();
    await until(() => title() === label && drawn());
    return performance.now() - start;
}}"""
_FILTERED = f"""async (label) => {{ {_PAINTED}
    const button = [...document.querySelectorAll('[data-testid="stMain"] button')]
        .find(one => one.innerText.trim() === label);
    const start = performance.now();
    let ran = false;
    const watch = new MutationObserver(() => {{ ran = ran || state() === 'running'; }});
    watch.observe(document.querySelector('[data-testid="stApp"]'), {{ attributes: true }});
    button.click();
    await until(() => ran && drawn());
    watch.disconnect();
    return performance.now() - start;
}}"""


@contextmanager
def browser() -> Iterator[Page]:
    """A page of a headless Chromium (CHROMIUM names another one than /usr/bin/chromium)."""
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium.new_page(viewport={"width": 1440, "height": 1000})
        chromium.close()


def load_ms(page: Page, address: str) -> float:
    """Milliseconds from asking for ``address`` to the painted page."""
    page.goto(address, wait_until="commit")
    return float(page.evaluate(_LOADED))


def change_ms(page: Page, title: str) -> float:
    """Milliseconds from a click in the navigation to the painted page ``title``."""
    return float(page.evaluate(_CHANGED, title))


def filter_ms(page: Page, label: str) -> float:
    """Milliseconds from a click on a button of the page to the painted page."""
    return float(page.evaluate(_FILTERED, label))
