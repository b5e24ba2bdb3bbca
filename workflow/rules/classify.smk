rule classify:
    message: "Classifying the frames of run {wildcards.run}"
    input:
        pack="results/render/mergers/{run}.h5",
        network="results/train/network",
    output:
        table="results/classify/{run}.parquet",
        out="results/classify/{run}.out",
    params:
        code=code("classify"),
        settings=CONFIG["classify"],
    log: "results/logs/classify/{run}.log",
    benchmark: "results/benchmarks/classify/{run}.tsv"
    shell: "galclass classify {input.pack} --network {input.network} -o results/classify -c results/config.yaml 2>&1 | tee {log}"
