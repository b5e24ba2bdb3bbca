rule visibility:
    message: "Looking at run {wildcards.run} from all over the sky"
    input:
        "results/simulate/mergers/{run}/quality.csv",
        network="results/train/network",
        reference="results/reference",
        **TELESCOPE,
    output:
        table="results/visibility/{run}.parquet",
        times="results/visibility/{run}_times.parquet",
        map="results/visibility/{run}.png",
        numbers="results/visibility/{run}.json",
    params:
        code=code("visibility"),
        settings={
            "visibility": CONFIG["visibility"],
            "render": {key: value for key, value in CONFIG["render"].items() if not key.startswith(("film", "shapes", "views"))},
            "classify": CONFIG["classify"]["batch_size"],
        },
    log: "results/logs/visibility/{run}.log",
    benchmark: "results/benchmarks/visibility/{run}.tsv"
    shell:
        "galclass visibility results/simulate/mergers/{wildcards.run} --network {input.network} --reference {input.reference}"
        " --run {wildcards.run} -o {output.table} -c results/config.yaml 2>&1 | tee {log}"
