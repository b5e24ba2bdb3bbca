rule clean:
    message: "Removing the noise from the frames of run {wildcards.run}"
    input: "results/render/mergers/{run}.h5",
    output: "results/clean/{run}.h5",
    params:
        code=code("clean"),
        settings=CONFIG["clean"],
    log: "results/logs/clean/{run}.log",
    benchmark: "results/benchmarks/clean/{run}.tsv"
    shell: "galclass clean {input} -o {output} -c results/config.yaml 2>&1 | tee {log}"
