rule classify:
    message: "Classifying the frames of run {wildcards.run}"
    group: "screening"
    input:
        pack="results/render/mergers/{run}.h5",
        network="results/train/network/card.json",
    output:
        table="results/classify/{run}.parquet",
        out="results/classify/{run}.out",
    params:
        code=code("classify"),
        settings=CONFIG["classify"],
    resources: runtime=15, mem_mb=3000
    shell: "galclass classify {input.pack} --network results/train/network -o results/classify -c results/config.yaml 2>&1 | keep {wildcards.run}"


# The pictures that the thesis's networks look at: as they come, and with the noise removed.
THESIS_PACKS = {"raw": "results/render/mergers/{run}.h5", "clean": "results/clean/{run}.h5"}


rule classify_thesis:
    message: "Classifying the {wildcards.variant} frames by the network of the thesis for {wildcards.classes}"
    input:
        packs=lambda wildcards: expand(THESIS_PACKS[wildcards.variant], run=RUNS),
        network="results/train/thesis/{classes}/card.json",
    output: expand("results/classify/thesis/{{classes}}/{{variant}}/{run}.{kind}", run=RUNS, kind=["parquet", "out"]),
    params:
        code=code("classify"),
        settings=CONFIG["classify"],
    log: "results/logs/classify/thesis/{classes}_{variant}.log",
    resources: runtime=240, mem_mb=3000
    shell:
        "galclass classify {input.packs} --network results/train/thesis/{wildcards.classes}"
        " -o results/classify/thesis/{wildcards.classes}/{wildcards.variant} -c results/config.yaml 2>&1 | tee {log}"
