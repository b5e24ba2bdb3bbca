rule report:
    message: "Writing the report"
    input:
        templates=[BASE / f"workflow/report/{name}.html.j2" for name in ("index", "candidates", "gallery", "base", "parts")],
        thesis=BASE / "workflow/report/thesis.yaml",
        quality=expand("results/simulate/mergers/{run}/quality.csv", run=RUNS),
        films=expand("results/render/film/{run}.h5", run=RUNS),
        packs=expand("results/render/mergers/{run}.h5", run=RUNS),
        shapes="results/render/shapes.h5",
        labels="results/label/shapes.parquet",
        measured=expand("results/label/mergers/{run}.parquet", run=RUNS),
        network="results/train/network/card.json",
        tables=expand("results/classify/{run}.parquet", run=RUNS),
        candidates="results/verify/candidates.parquet",
        profiles="results/verify/profiles.parquet",
        visibility=expand("results/visibility/{run}.{kind}", run=RUNS, kind=["parquet", "json"]),
        reference="results/reference/reference.json",
    output:
        page="results/report/index.html",
        candidates="results/report/candidates.html",
    params:
        code=code("report"),
        settings={"report": CONFIG["report"], "train": {key: value for key, value in CONFIG["train"].items() if key != "thesis"}},
    log: "results/logs/report.log",
    resources: runtime=60, mem_mb=8000
    shell: "galclass report results -o {output.page} -c results/config.yaml 2>&1 | tee {log}"


rule report_thesis:
    message: "Writing the report on the thesis"
    input:
        templates=[BASE / f"workflow/report/{name}.html.j2" for name in ("thesis", "base", "parts")],
        thesis=BASE / "workflow/report/thesis.yaml",
        initial=expand("results/initial/{run}.dat", run=RUNS),
        quality=expand("results/simulate/mergers/{run}/quality.csv", run=RUNS),
        packs=expand("results/render/mergers/{run}.h5", run=RUNS),
        cleaned=expand("results/clean/{run}.h5", run=RUNS),
        measured=expand("results/label/mergers/{run}.parquet", run=RUNS),
        networks=expand("results/train/thesis/{classes}/card.json", classes=THESIS_CLASSES),
        tables=expand("results/classify/thesis/{classes}/{variant}/{run}.parquet",
                      classes=THESIS_CLASSES, variant=THESIS_PACKS, run=RUNS),
    output: "results/report/thesis.html",
    params: code=code("report"),
    log: "results/logs/report_thesis.log",
    resources: runtime=60, mem_mb=8000
    shell: "galclass report results --thesis -o {output} -c results/config.yaml 2>&1 | tee {log}"
