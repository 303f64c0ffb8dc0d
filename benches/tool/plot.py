"""A panel for each kind of fill, in it a line for each engine: python plot.py growth.svg <growth.json"""

import json
import math
import sys

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot, ticker

# Okabe and Ito's colours, which people tell apart who do not see all colours.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#000000", "#cc79a7", "#56b4e9", "#e69f00"]
MARKERS = "os^x"


def elements(number, _):
    """A power of two with the prefixes of binary numbers: 32 Ki."""
    power = round(math.log2(number))
    return f"{1 << power % 10}{['', ' Ki', ' Mi', ' Gi', ' Ti'][power // 10]}"


matplotlib.rcParams.update({"font.size": 11, "svg.fonttype": "none", "svg.hashsalt": "seedbed"})
engines = json.load(sys.stdin)["engines"]
kinds = list(dict.fromkeys((row["name"], row["dtype"]) for engine in engines for row in engine["rows"]))
size = (4.8 * len(kinds), 6)
figure, panels = pyplot.subplots(
    1, len(kinds), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
)
for kind, panel in zip(kinds, panels[0]):
    panel.set(title=" ".join(kind), xlabel="elements", ylabel="time of one fill", xscale="log", yscale="log")
    panel.grid(color="#e1e1e1")
    panel.label_outer()
    for index, engine in enumerate(engines):
        for row in engine["rows"]:
            if (row["name"], row["dtype"]) != kind:
                continue
            colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
            points = [(point["elements"], point["wall"]["median"]) for point in row["points"]]
            panel.plot(*zip(*points), color=colour, marker=marker, ms=5, label=engine["name"])
            knee = row["fit"]["knee_elements"]
            if knee and 1 <= knee <= points[-1][0]:
                # A fill of so many elements takes the launch twice.
                top = 2 * row["fit"]["launch_seconds"]
                panel.plot([knee] * 2, [0, top], color=colour, linestyle="--", linewidth=1)
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_locator(ticker.LogLocator(base=32))
    panel.xaxis.set_major_formatter(elements)
    panel.yaxis.set_major_formatter(ticker.EngFormatter("s"))
lines = dict(zip(*reversed(panels[0][0].get_legend_handles_labels())))
knee = panels[0][0].plot([], [], color="black", linestyle="--", linewidth=1)[0]
lines["the knee of the fitted line: its elements take as long as the launch"] = knee
figure.legend(lines.values(), lines.keys(), loc="outside lower left", ncols=2, frameon=False)
figure.savefig(sys.argv[1], metadata={"Date": None})
