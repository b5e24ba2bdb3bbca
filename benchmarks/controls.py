"""Real galaxies as a control: how many of them a classifier calls rectangles, and a sheet of those to look at.

python benchmarks/controls.py FOLDER --network results/train/network --sheet rectangles.png --json
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import classify, images
from galclass.statistics import wilson_interval

SHOWN, COLUMNS, PIXELS = 60, 12, 64


def sheet(files: list[Path], path: Path) -> None:
    """The pictures in order, in grey, each brought to one size."""
    small = [images.resampled(images.read_picture(file)[0], PIXELS) for file in files]
    stretched = [(picture - picture.min()) / max(np.ptp(picture), 1e-9) for picture in small]
    images.write_png(path, images.contact_sheet(np.array(stretched), COLUMNS))


def main() -> None:
    """Parse the command line, classify and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", type=Path, default=Path("results/train/network"))
    parser.add_argument("--sheet", type=Path, help="PNG of the likeliest rectangles")
    parser.add_argument("--table", type=Path, help="CSV of all answers")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    table = pd.DataFrame(classify.pictures(files, options.network))
    if options.table:
        table.to_csv(options.table, index=False, float_format="%.5f")
    good = table[table.get("error", pd.Series(index=table.index, dtype=object)).isna()]
    best = good.sort_values("p_rectangle", ascending=False)
    called = int((good["class"] == "rectangle").sum())
    if options.sheet:
        sheet([Path(file) for file in best["file"].head(SHOWN)], options.sheet)
    figures = {
        "pictures": len(table),
        "failed": len(table) - len(good),
        "classes": good["class"].value_counts().to_dict(),
        "rectangle_share": called / len(good),
        "interval": wilson_interval(called, len(good)),
        "beyond_the_gauge": float((good["domain_distance"] > 1).mean()),
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{k:20} {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
