rule train:
    message: "Training the network of the thesis"
    input:
        pack="results/render/shapes.h5",
        labels="results/label/shapes.parquet",
    output: directory("results/train/network"),
    params:
        code=code("train"),
        settings=CONFIG["train"],
    log: "results/logs/train/network.log",
    benchmark: "results/benchmarks/train/network.tsv"
    threads: 2
    shell: "galclass train {input.pack} --labels {input.labels} -o {output} -c results/config.yaml 2>&1 | tee {log}"


rule train_control:
    message: "Training the control: the same network on shuffled labels"
    input:
        pack="results/render/shapes.h5",
        labels="results/label/shapes.parquet",
    output: directory("results/train/control"),
    params:
        code=code("train"),
        settings=CONFIG["train"],
    log: "results/logs/train/control.log",
    benchmark: "results/benchmarks/train/control.tsv"
    threads: 2
    shell: "galclass train {input.pack} --labels {input.labels} --shuffle-labels -o {output} -c results/config.yaml 2>&1 | tee {log}"
