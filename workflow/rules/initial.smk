rule initial:
    message: "Initial conditions of run {wildcards.run}"
    output: "results/initial/{run}.dat",
    params:
        code=code("initial"),
        row=lambda wildcards: {**RUNS, **LEARNT}[wildcards.run],
        settings={key: value for key, value in CONFIG["initial"].items() if key not in ("table", "runs")},
        softening=CONFIG["simulate"]["softening_kpc"],
    log: "results/logs/initial/{run}.log",
    benchmark: "results/benchmarks/initial/{run}.tsv"
    shell: "galclass initial {wildcards.run} -o {output} -c results/config.yaml 2>&1 | tee {log}"
