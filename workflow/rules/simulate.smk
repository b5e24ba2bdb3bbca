RATES = plan.read_rates()


rule simulate_merger:
    message: "Simulating run {wildcards.run}"
    group: "merger"
    input:
        program="results/bin/merger",
        initial="results/initial/{run}.dat",
    # Written last. The folder itself is no output: Snakemake would delete it, and what a stopped run goes on from.
    output: "results/simulate/mergers/{run}/quality.csv",
    params:
        code=code("simulate"),
        settings={key: value for key, value in CONFIG["simulate"].items()
                  if key not in ("shapes", "archive", "threads", "checkpoint_minutes", "wall_time_minutes")},
    threads: CONFIG["simulate"]["threads"]
    resources:
        # An attempt after one that ran out of time asks for more.
        runtime=lambda wildcards, attempt: attempt * plan.simulation_minutes(CONFIG, ROWS[wildcards.run], RATES),
        mem_mb=4000,
    shell:
        "galclass simulate merger {input.initial} --program {input.program} --threads {threads}"
        " -o results/simulate/mergers/{wildcards.run} -c results/config.yaml 2>&1 | keep {wildcards.run}"


rule simulate_shapes:
    message: "Making the labelled shape models"
    input:
        program="results/bin/shape",
    output: "results/simulate/shapes/provenance.json",
    params:
        code=code("simulate"),
        particles=CONFIG["simulate"]["shapes"]["particles"],
        models=MODELS,
    log: "results/logs/simulate_shapes.log",
    resources: runtime=30, mem_mb=2000
    shell:
        "galclass simulate shapes --program {input.program} -o results/simulate/shapes -c results/config.yaml 2>&1 | tee {log}"
