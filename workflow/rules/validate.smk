# `snakemake validate_mergers`: a survey of its own, whatever is configured for the flow.

rule validate_initial:
    message: "Initial conditions of run {wildcards.run} of the survey"
    output: "results/validate/initial/{run}.dat",
    params:
        code=code("initial"),
        row=lambda wildcards: VALIDATED[wildcards.run],
        settings={key: value for key, value in VALIDATION["initial"].items() if key not in ("table", "runs")},
        softening=VALIDATION["simulate"]["softening_kpc"],
    log: "results/logs/validate/initial_{run}.log",
    resources: runtime=10, mem_mb=2000
    shell: "galclass initial {wildcards.run} -o {output} -c results/validate/config.yaml 2>&1 | tee {log}"


rule validate_simulate:
    message: "Simulating run {wildcards.run} of the survey"
    input:
        program="results/bin/merger",
        initial="results/validate/initial/{run}.dat",
    # Written last. The folder itself is no output: Snakemake would delete it, and what a stopped run goes on from.
    output: "results/validate/mergers/{run}/quality.csv",
    params:
        code=code("simulate"),
        settings={key: value for key, value in VALIDATION["simulate"].items()
                  if key not in ("shapes", "archive", "threads", "checkpoint_minutes", "wall_time_minutes")},
    log: "results/logs/validate/simulate_{run}.log",
    threads: VALIDATION["simulate"]["threads"]
    resources:
        runtime=lambda wildcards, attempt: attempt * plan.simulation_minutes(VALIDATION, VALIDATED[wildcards.run], RATES),
        mem_mb=4000,
    shell:
        "galclass simulate merger {input.initial} --program {input.program} --threads {threads}"
        " -o results/validate/mergers/{wildcards.run} -c results/validate/config.yaml 2>&1 | tee {log}"


rule validate_mergers:
    message: "Holding remnants against Naab & Burkert (2003)"
    input: expand("results/validate/mergers/{run}/quality.csv", run=VALIDATED),
    output:
        summary="results/validate/summary.parquet",
        projections="results/validate/projections.parquet",
        figure="results/validate/summary.png",
    params:
        code=code("validate"),
        settings=VALIDATION["validate"],
        runs=expand("results/validate/mergers/{run}", run=VALIDATED),
    log: "results/logs/validate_mergers.log",
    threads: 2
    resources: runtime=120, mem_mb=4000
    shell:
        "galclass validate {params.runs} --processes {threads} -o {output.summary} -c results/validate/config.yaml"
        " 2>&1 | tee {log}"
