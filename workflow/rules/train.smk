rule train:
    message: "Training the classifier"
    input:
        packs=expand("results/render/mergers/{run}.h5", run=LEARNT) + ["results/render/shapes.h5"],
        labels=expand("results/label/mergers/{run}.parquet", run=LEARNT) + ["results/label/shapes.parquet"],
    # Written last, as of every folder: where it is, the rest is whole.
    output: "results/train/network/card.json",
    params:
        code=code("train"),
        settings={key: value for key, value in CONFIG["train"].items() if key != "thesis"},
    log: "results/logs/train/network.log",
    threads: 2
    resources: runtime=240, mem_mb=8000
    shell:
        "galclass train results/render/mergers results/render/shapes.h5"
        " --labels results/label/mergers --labels results/label/shapes.parquet -o results/train/network -c results/config.yaml 2>&1 | tee {log}"


# The three networks of the thesis, by the classes they tell apart.
THESIS_CLASSES = ["oval-rectangle", "rectangle-obround", "oval-rectangle-obround"]


rule train_thesis:
    message: "Training the network of the thesis for {wildcards.classes}"
    input: "results/render/shapes.h5",
    output: "results/train/thesis/{classes}/card.json",
    params:
        code=code("train.thesis"),
        seed=CONFIG["train"]["seed"],
        settings=CONFIG["train"]["thesis"],
    log: "results/logs/train/thesis/{classes}.log",
    threads: 2
    resources: runtime=2880, mem_mb=8000
    shell: "galclass train {input} --thesis {wildcards.classes} -o results/train/thesis/{wildcards.classes} -c results/config.yaml 2>&1 | tee {log}"
