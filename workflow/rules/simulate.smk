rule simulate_merger:
    message: "Simulating run {wildcards.run}"
    input:
        program="results/bin/merger",
        initial="results/initial/{run}.dat",
    # Written last. The folder itself is no output: Snakemake would delete it, and what a stopped run goes on from.
    output: "results/simulate/mergers/{run}/quality.csv",
    params:
        code=code("simulate"),
        settings={key: value for key, value in CONFIG["simulate"].items()
                  if key not in ("shapes", "threads", "checkpoint_minutes", "wall_time_minutes")},
    log: "results/logs/simulate/{run}.log",
    benchmark: "results/benchmarks/simulate/{run}.tsv"
    threads: CONFIG["simulate"]["threads"]
    shell:
        "galclass simulate merger {input.initial} --program {input.program} --threads {threads}"
        " -o results/simulate/mergers/{wildcards.run} -c results/config.yaml 2>&1 | tee {log}"


rule simulate_shapes:
    message: "Making the labelled shape models"
    input:
        program="results/bin/shape",
    output: directory("results/simulate/shapes"),
    params:
        code=code("simulate"),
        particles=CONFIG["simulate"]["shapes"]["particles"],
        models=MODELS,
    log: "results/logs/simulate_shapes.log",
    benchmark: "results/benchmarks/simulate_shapes.tsv"
    shell:
        "galclass simulate shapes --program {input.program} -o {output} -c results/config.yaml 2>&1 | tee {log}"
