rule clean:
    message: "Removing the noise from the frames of run {wildcards.run}"
    input: "results/render/mergers/{run}.h5",
    output: "results/clean/{run}.h5",
    params:
        code=code("clean"),
        settings=CONFIG["clean"],
    log: "results/logs/clean/{run}.log",
    resources: runtime=60, mem_mb=3000
    shell: "galclass clean {input} -o {output} -c results/config.yaml 2>&1 | tee {log}"
