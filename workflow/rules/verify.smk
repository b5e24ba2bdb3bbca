rule verify:
    message: "Comparing the candidates with the reference"
    input:
        packs=expand("results/render/mergers/{run}.h5", run=RUNS),
        tables=expand("results/classify/{run}.parquet", run=RUNS),
        reference="results/reference",
    output: "results/verify/candidates.parquet",
    params:
        code=code("verify"),
        settings=CONFIG["verify"],
    log: "results/logs/verify.log",
    benchmark: "results/benchmarks/verify.tsv"
    shell:
        "galclass verify {input.packs} --classified results/classify --reference {input.reference}"
        " -o {output} -c results/config.yaml 2>&1 | tee {log}"
