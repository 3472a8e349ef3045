"""How well a text on a page can be read."""

from __future__ import annotations

from typing import Any

#: What the Web Content Accessibility Guidelines (2.1, 1.4.3) ask of text of ordinary size.
READABLE = 4.5

# A colour on the page is that of the style, thinned by the opacity of the element and of all that it is in, over the
# backgrounds behind it.
_COLOURS = """element => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const parts = colour => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
    };
    const over = (front, back) => [0, 1, 2].map(i => front[i] * front[3] + back[i] * (1 - front[3]));
    const chain = [];
    for (let at = element; at; at = at.parentElement) {
        chain.unshift(at);
    }
    let ground = [255, 255, 255];
    let opacity = 1;
    for (const each of chain) {
        const style = getComputedStyle(each);
        opacity *= Number(style.opacity);
        const [red, green, blue, alpha] = parts(style.backgroundColor);
        ground = over([red, green, blue, alpha * opacity], ground);
    }
    const [red, green, blue, alpha] = parts(getComputedStyle(element).color);
    return {text: over([red, green, blue, alpha * opacity], ground), ground};
}"""


def contrast(element: Any) -> float:
    """Return the contrast of an element's text and what is behind it, from 1 (none) to 21 (black on white).

    Args:
        element: Playwright's locator.
    """
    found = element.evaluate(_COLOURS)
    light, dark = sorted((_luminance(found["text"]), _luminance(found["ground"])), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: list[float]) -> float:
    """Return the relative luminance of an sRGB colour, as the guidelines define it."""
    shares = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
