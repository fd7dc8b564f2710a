"""Numbers of one picture: light, colour, edges, background, where its subject lies."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

METRICS = (
    "brightness",
    "contrast",
    "saturation",
    "colour-temperature",
    "sharpness",
    "edges",
    "blockiness",
    "background-lightness",
    "background-redness",
    "background-warmth",
    "background-saturation",
    "palette",
    "area",
    "centre-x",
    "centre-y",
)
BORDER = 0.06  # of a side: the ring that is taken for the background
APART = 15.0  # CIELAB units from which a pixel is no background (CIE 1976)
STEEP = 12.0  # lightness units between neighbours that make an edge
BLOCKS = 16  # squares a side that `blockiness` looks for
LEVELS = 4  # a colour channel's steps in the palette
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
WHITE = np.array([0.95047, 1.0, 1.08883])  # D65


def lab(pixels: Pixels) -> Floats:
    """sRGB (H, W, 3) -> CIELAB under D65 (IEC 61966-2-1, CIE 1976): L 0..100, a, b."""
    levels = pixels.astype(np.float64) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    part = linear @ TO_XYZ.T / WHITE
    root = np.where(part > (6 / 29) ** 3, np.cbrt(part), part / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def measure(pixels: Pixels) -> list[float]:
    """The numbers of a picture, in the order of METRICS.

    brightness: mean L. contrast: spread of L. saturation: mean chroma. colour-temperature: mean b,
    warm is up. sharpness: log variance of the Laplacian of L. edges: share of steep pixels.
    blockiness: how much steeper L is on a 16 x 16 grid than off it. background-*: medians of L, a,
    b and chroma on the border. palette: entropy of 64 colours, in bits. area: share of pixels that
    are unlike the background. centre: where those lie, 0 left and top, 1 right and bottom.
    """
    colours = lab(pixels)
    light = colours[..., 0]
    chroma = np.hypot(colours[..., 1], colours[..., 2])
    ground = background(colours)
    steps = slopes(light)
    area, x, y = subject(colours, ground)
    return [
        float(light.mean()),
        float(light.std()),
        float(chroma.mean()),
        float(colours[..., 2].mean()),
        float(np.log1p(laplacian(light).var())),
        float((steps > STEEP).mean()),
        blockiness(light),
        float(ground[0]),
        float(ground[1]),
        float(ground[2]),
        float(np.hypot(ground[1], ground[2])),
        palette(pixels),
        area,
        x,
        y,
    ]


def background(colours: Floats) -> Floats:
    """The median colour of the border ring."""
    height, width = colours.shape[:2]
    ring = np.ones((height, width), bool)
    deep = max(1, round(BORDER * min(height, width)))
    ring[deep:-deep, deep:-deep] = False
    found: Floats = np.median(colours[ring], axis=0)
    return found


def slopes(light: Floats) -> Floats:
    """The larger step to the next pixel, right or below."""
    across = np.abs(np.diff(light, axis=1))[:-1]
    down = np.abs(np.diff(light, axis=0))[:, :-1]
    return np.maximum(across, down)


def laplacian(light: Floats) -> Floats:
    """Second differences, four neighbours."""
    inner: Floats = (
        light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:]
        - 4 * light[1:-1, 1:-1]
    )  # fmt: skip
    return inner


def blockiness(light: Floats) -> float:
    """Log ratio of the mean step on the lines of a BLOCKS x BLOCKS grid to that off them."""
    found = []
    for axis in (0, 1):
        step = np.abs(np.diff(light, axis=axis)).mean(axis=1 - axis)
        size = light.shape[axis] / BLOCKS
        on = np.zeros(len(step), bool)
        lines = np.round(np.arange(1, BLOCKS) * size).astype(int) - 1
        on[lines[(lines >= 0) & (lines < len(step))]] = True
        if on.all() or not on.any():
            return 0.0
        found.append(np.log((step[on].mean() + 0.1) / (step[~on].mean() + 0.1)))
    return float(np.mean(found))


def palette(pixels: Pixels) -> float:
    """Entropy of the colours, LEVELS steps a channel, in bits."""
    steps = pixels.astype(np.int64) * LEVELS // 256
    cells = np.bincount((steps @ np.array([LEVELS**2, LEVELS, 1])).ravel(), minlength=LEVELS**3)
    shares = cells[cells > 0] / cells.sum()
    return float(-(shares * np.log2(shares)).sum())


def subject(colours: Floats, ground: Floats) -> tuple[float, float, float]:
    """Share of pixels unlike the background, and their centre of mass (0.5, 0.5 without any)."""
    apart = np.linalg.norm(colours - ground, axis=-1) > APART
    height, width = apart.shape
    if not apart.any():
        return 0.0, 0.5, 0.5
    rows, columns = np.nonzero(apart)
    return (
        float(apart.mean()),
        float((columns.mean() + 0.5) / width),
        float((rows.mean() + 0.5) / height),
    )
