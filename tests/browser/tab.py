"""A person before a page: what she sees and can do, and what the browser complains of meanwhile."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, button, a, summary, iframe")]
  .filter(each => each.type !== "hidden" && !each.labels?.length && !each.ariaLabel && !each.title)
  .filter(each => ["INPUT", "SELECT", "TEXTAREA"].includes(each.tagName) || !each.innerText.trim())
  .map(each => each.outerHTML)"""
"""What one can use and nothing says what for. A placeholder is no name: it is gone with the first letter."""
UNIQUE = """() => {
  const ids = [...document.querySelectorAll("[id]")].map(each => each.id);
  return new Set(ids).size === ids.length;
}"""
PALE = """() => {
  const numbers = colour => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return alpha === 255 ? [red, green, blue] : alpha === 0 ? null : [red, green, blue, alpha / 255];
  };
  const scheme = getComputedStyle(document.documentElement).colorScheme;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches && scheme.includes("dark");
  const behind = element => {
    if (!element) return dark ? [18, 18, 18] : [255, 255, 255];
    const own = numbers(getComputedStyle(element).backgroundColor);
    if (own && own.length === 3) return own;
    const under = behind(element.parentElement);
    return own ? under.map((each, at) => each * (1 - own[3]) + own[at] * own[3]) : under;
  };
  const faded = element => element ? faded(element.parentElement) * getComputedStyle(element).opacity : 1;
  const light = colour => {
    const [red, green, blue] = colour.map(each => each / 255).map(each => each <= .04045 ? each / 12.92 : ((each + .055) / 1.055) ** 2.4);
    return .2126 * red + .7152 * green + .0722 * blue;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest("style, script, option")) continue;
    const ground = behind(element), share = faded(element);
    const ink = numbers(getComputedStyle(element).color).slice(0, 3).map((each, at) => each * share + ground[at] * (1 - share));
    const [high, low] = [light(ink), light(ground)].sort((one, two) => two - one);
    const ratio = (high + .05) / (low + .05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(1)}: ${node.data.trim().slice(0, 40)}`);
  }
  return found;
}"""
"""Texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3)."""


class Tab:
    """One page of one browser profile. ``errors``: what its console told; ``elsewhere``: what it asked other hosts for."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        context.on("request", self._asked)
        context.on("requestfailed", self._refused)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def _asked(self, request: Request) -> None:
        asked = urlsplit(request.url)
        if asked.scheme not in {"data", "about"} and asked.hostname != "127.0.0.1":
            self.elsewhere.append(request.url)

    def open(self, address: str) -> int:
        """Go there; the answer's status."""
        answer = self.page.goto(address)
        assert answer is not None
        return answer.status

    def _refused(self, request: Request) -> None:
        if request.failure == "csp" and request.url in self.elsewhere:
            # The page's own policy kept it back: nothing was sent.
            self.elsewhere.remove(request.url)

    @property
    def text(self) -> str:
        """What stands on the page."""
        return self.page.locator("body").inner_text()

    @property
    def is_wider_than_the_screen(self) -> bool:
        """Whether one has to scroll sideways."""
        wide: bool = self.page.evaluate("() => document.documentElement.scrollWidth > innerWidth")
        return wide

    def stops(self, most: int = 40) -> list[str]:
        """What the Tab key leads to from the top, until it leaves the page: a name, or the text, of each."""
        found: list[str] = []
        for _ in range(most):
            self.page.keyboard.press("Tab")
            name = self.page.evaluate(
                "() => document.activeElement === document.body ? null : document.activeElement.labels?.[0]?.innerText"
                " || document.activeElement.title || document.activeElement.innerText"
            )
            if name is None:
                break
            found.append(str(name).partition("\n")[0])
        return found

    def faults(self) -> list[str]:
        """What keeps people from using the page: no language, title or heading, controls without names, pale texts, doubled ids."""
        page = self.page
        basics = {
            "language": page.locator("html").get_attribute("lang"),
            "title": page.title(),
            "one first heading": page.locator("h1").count() == 1,
            "one main part": page.locator("main").count() == 1,
            "ids are unique": page.evaluate(UNIQUE),
        }
        return [*(name for name, there in basics.items() if not there), *page.evaluate(NAMELESS), *page.evaluate(PALE)]
