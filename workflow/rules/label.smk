rule label:
    message: "Measuring the shape of every frame of run {wildcards.run}"
    group: "merger"
    input: "results/render/mergers/{run}.h5",
    output: "results/label/mergers/{run}.parquet",
    params:
        code=code("label"),
        settings=CONFIG["label"],
    resources: runtime=60, mem_mb=2000
    shell: "galclass label {input} -o {output} -c results/config.yaml 2>&1 | keep {wildcards.run}"


rule label_shapes:
    message: "Checking the labels of the shape models against their measured isophotes"
    input: "results/render/shapes.h5",
    output: "results/label/shapes.parquet",
    params:
        code=code("label"),
        settings=CONFIG["label"],
    log: "results/logs/label_shapes.log",
    resources: runtime=60, mem_mb=2000
    shell: "galclass label {input} -o {output} -c results/config.yaml 2>&1 | tee {log}"
