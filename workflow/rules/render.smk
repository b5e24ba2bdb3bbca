# What the telescope of the configuration is made of; a picture of a real sky only where one is named.
TELESCOPE = {"presets": str(BASE / "config/telescopes.yaml")}
if CONFIG["render"]["telescope"]["background"]:
    TELESCOPE["background"] = CONFIG["render"]["telescope"]["background"]


rule render:
    message: "Rendering run {wildcards.run}"
    input:
        "results/simulate/mergers/{run}/quality.csv",
        **TELESCOPE,
    output: "results/render/mergers/{run}.h5",
    params:
        code=code("render"),
        settings={key: value for key, value in CONFIG["render"].items() if not key.startswith(("film", "shapes"))},
    log: "results/logs/render/{run}.log",
    benchmark: "results/benchmarks/render/{run}.tsv"
    shell: "galclass render results/simulate/mergers/{wildcards.run} --run {wildcards.run} -o {output} -c results/config.yaml 2>&1 | tee {log}"


rule render_film:
    message: "Rendering the film of run {wildcards.run}"
    input:
        "results/simulate/mergers/{run}/quality.csv",
        **TELESCOPE,
    output: "results/render/film/{run}.h5",
    params:
        code=code("render"),
        settings={key: value for key, value in CONFIG["render"].items() if not key.startswith(("views", "field", "shapes"))},
    log: "results/logs/render_film/{run}.log",
    benchmark: "results/benchmarks/render_film/{run}.tsv"
    shell: "galclass render results/simulate/mergers/{wildcards.run} --film --run {wildcards.run} -o {output} -c results/config.yaml 2>&1 | tee {log}"


rule render_shapes:
    message: "Rendering the labelled shape models"
    input:
        "results/simulate/shapes",
        **TELESCOPE,
    output: "results/render/shapes.h5",
    params:
        code=code("render"),
        settings={key: value for key, value in CONFIG["render"].items() if not key.startswith(("film", "views"))},
    log: "results/logs/render_shapes.log",
    benchmark: "results/benchmarks/render_shapes.tsv"
    threads: 2
    shell: "galclass render {input[0]} --shapes -o {output} -c results/config.yaml 2>&1 | tee {log}"
