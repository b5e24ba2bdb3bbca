rule train:
    message: "Training the classifier"
    input:
        packs=expand("results/render/mergers/{run}.h5", run=LEARNT) + ["results/render/shapes.h5"],
        labels=expand("results/label/mergers/{run}.parquet", run=LEARNT) + ["results/label/shapes.parquet"],
    output: directory("results/train/network"),
    params:
        code=code("train"),
        settings={key: value for key, value in CONFIG["train"].items() if key != "thesis"},
        labels=expand("--labels {table}", table=expand("results/label/mergers/{run}.parquet", run=LEARNT)),
    log: "results/logs/train/network.log",
    benchmark: "results/benchmarks/train/network.tsv"
    threads: 2
    shell:
        "galclass train {input.packs} {params.labels} --labels results/label/shapes.parquet"
        " -o {output} -c results/config.yaml 2>&1 | tee {log}"


# The three networks of the thesis, by the classes they tell apart.
THESIS_CLASSES = ["oval-rectangle", "rectangle-obround", "oval-rectangle-obround"]


rule train_thesis:
    message: "Training the network of the thesis for {wildcards.classes}"
    input: "results/render/shapes.h5",
    output: directory("results/train/thesis/{classes}"),
    params:
        code=code("train.thesis"),
        seed=CONFIG["train"]["seed"],
        settings=CONFIG["train"]["thesis"],
    log: "results/logs/train/thesis/{classes}.log",
    benchmark: "results/benchmarks/train/thesis/{classes}.tsv"
    threads: 2
    shell: "galclass train {input} --thesis {wildcards.classes} -o {output} -c results/config.yaml 2>&1 | tee {log}"
