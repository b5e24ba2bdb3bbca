rule report:
    message: "Writing the report"
    input:
        template=BASE / "workflow/report/index.html.j2",
        thesis=BASE / "workflow/report/thesis.yaml",
        quality=expand("results/simulate/mergers/{run}/quality.csv", run=RUNS),
        films=expand("results/render/film/{run}.h5", run=RUNS),
        packs=expand("results/render/mergers/{run}.h5", run=RUNS),
        shapes="results/render/shapes.h5",
        labels="results/label/shapes.parquet",
        measured=expand("results/label/mergers/{run}.parquet", run=RUNS),
        network="results/train/network",
        control="results/train/control",
        tables=expand("results/classify/{run}.parquet", run=RUNS),
        candidates="results/verify/candidates.parquet",
        reference="results/reference",
    output: "results/report/index.html",
    params:
        code=code("report"),
        settings={"train": CONFIG["train"], "depth_dex": CONFIG["render"]["depth_dex"]},
    log: "results/logs/report.log",
    benchmark: "results/benchmarks/report.tsv"
    shell: "galclass report results -o {output} -c results/config.yaml 2>&1 | tee {log}"
