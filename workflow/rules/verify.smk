rule verify:
    message: "Comparing the candidates with the reference"
    input:
        packs=expand("results/render/mergers/{run}.h5", run=RUNS),
        tables=expand("results/classify/{run}.parquet", run=RUNS),
        reference="results/reference/reference.json",
        network="results/train/network/card.json",
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
    resources: runtime=120, mem_mb=8000
    shell:
        "galclass verify results/render/mergers --classified results/classify --reference results/reference"
        " --network results/train/network -o {output.table} -c results/config.yaml 2>&1 | tee {log}"
