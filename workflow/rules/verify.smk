rule verify:
    message: "Comparing the candidates with the reference"
    input:
        packs=expand("results/render/mergers/{run}.h5", run=RUNS),
        tables=expand("results/classify/{run}.parquet", run=RUNS),
        reference="results/reference",
        network="results/train/network",
    output:
        table="results/verify/candidates.parquet",
        fits="results/verify/candidates.fits",
        profiles="results/verify/profiles.parquet",
        nulls="results/verify/nulls.parquet",
    params:
        code=code("verify"),
        settings=CONFIG["verify"],
    threads: workflow.cores
    log: "results/logs/verify.log",
    benchmark: "results/benchmarks/verify.tsv"
    shell:
        "galclass verify {input.packs} --classified results/classify --reference {input.reference}"
        " --network {input.network} -o {output.table} -c results/config.yaml 2>&1 | tee {log}"
