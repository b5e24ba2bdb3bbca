rule label:
    message: "Checking the labels against the measured isophotes"
    input: "results/render/shapes.h5",
    output: "results/label/shapes.parquet",
    params:
        code=code("label"),
        settings=CONFIG["label"],
    log: "results/logs/label.log",
    benchmark: "results/benchmarks/label.tsv"
    shell: "galclass label {input} -o {output} -c results/config.yaml 2>&1 | tee {log}"
