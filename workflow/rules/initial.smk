rule initial:
    message: "Initial conditions of run {wildcards.run}"
    group: "merger"
    output: "results/initial/{run}.dat",
    params:
        code=code("initial"),
        row=lambda wildcards: ROWS[wildcards.run],
        settings={key: value for key, value in CONFIG["initial"].items() if key not in ("table", "runs")},
        softening=CONFIG["simulate"]["softening_kpc"],
    resources: runtime=10, mem_mb=2000
    shell: "galclass initial {wildcards.run} -o {output} -c results/config.yaml 2>&1 | keep {wildcards.run}"
