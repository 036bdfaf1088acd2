"""Draws first_pass.svg: one pass of the step-by-step example, every number out of its Trace.

Run: python docs/pictures/first_pass.py
"""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

import clearprop as cp

FORWARD, BACKWARD, INK = "#0a5aa8", "#b3430b", "#222222"

net = cp.Network([2, 2, 2], activations="sigmoid", loss="quadratic", seed=0)
net.weights[2], net.biases[2] = [[0.15, 0.20], [0.25, 0.30]], [0.35, 0.35]
net.weights[3], net.biases[3] = [[0.40, 0.45], [0.50, 0.55]], [0.60, 0.60]
trace = net.backprop([[0.05, 0.10]], [[0.01, 0.99]])

mpl.rcParams.update({"svg.hashsalt": "clearprop", "svg.fonttype": "path", "font.size": 11})
figure, axes = plt.subplots(figsize=(9.6, 4.6), facecolor="white")
axes.set(xlim=(-0.55, 6.75), ylim=(-1.02, 3.05), aspect="equal")
axes.axis("off")


def place(layer: int, neuron: int) -> tuple[float, float]:
    """Where a neuron stands."""
    return 2.7 * (layer - 1) + 0.15, 2.0 - 2.0 * neuron


for layer in (2, 3):
    for j in range(2):
        for k in range(2):
            (x0, y0), (x1, y1) = place(layer - 1, k), place(layer, j)
            w, g = trace.weights[layer][j, k], trace.grad_weights[layer][j, k]
            axes.plot([x0, x1], [y0, y1], color="#999999", lw=0.8 + 3 * abs(w), zorder=0)
            along = 0.5 if j == k else 0.33
            x, y = x0 + along * (x1 - x0), y0 + along * (y1 - y0)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.92}
            style = {"ha": "center", "size": 9, "bbox": box}
            axes.text(x, y + 0.12, f"w = {w:.2f}", color=INK, **style)
            axes.text(x, y - 0.13, f"∂C/∂w = {g:+.4f}", color=BACKWARD, **style)
for layer in (1, 2, 3):
    for j in range(2):
        x, y = place(layer, j)
        axes.add_patch(plt.Circle((x, y), 0.47, facecolor="white", edgecolor=INK, lw=1.4))
        a = trace.a[layer][0, j]
        if layer == 1:
            axes.text(x, y, f"a = {a:.2f}", color=FORWARD, ha="center", va="center", size=11)
            continue
        z, delta = trace.z[layer][0, j], trace.delta[layer][0, j]
        style = {"ha": "center", "va": "center", "size": 9}
        axes.text(x, y + 0.19, f"z = {z:.4f}", color=FORWARD, **style)
        axes.text(x, y, f"a = {a:.4f}", color=FORWARD, **style)
        axes.text(x, y - 0.19, f"δ = {delta:+.4f}", color=BACKWARD, **style)
        if layer == 3:
            axes.text(x + 0.6, y, f"y = {trace.y[0, j]:.2f}", color=INK, va="center", size=11)
arrow = {"arrowstyle": "-|>", "lw": 1.6}
axes.annotate("", (5.9, 2.83), (-0.1, 2.83), arrowprops={**arrow, "color": FORWARD})
axes.text(2.9, 2.88, "forward: z = Wa + b,  a = σ(z)", color=FORWARD, ha="center", va="bottom")
axes.annotate("", (-0.1, -0.72), (5.9, -0.72), arrowprops={**arrow, "color": BACKWARD})
text = f"backward: the error δ, out of C = {trace.loss:.6f}"
axes.text(2.9, -0.77, text, color=BACKWARD, ha="center", va="top")
figure.subplots_adjust(0, 0, 1, 1)
figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None})
