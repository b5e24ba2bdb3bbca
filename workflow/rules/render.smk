# What the telescope of the configuration is made of; a picture of a real sky only where one is named.
TELESCOPE = {"presets": str(BASE / "config/telescopes.yaml")}
if CONFIG["render"]["telescope"]["background"]:
    TELESCOPE["background"] = CONFIG["render"]["telescope"]["background"]


rule render:
    message: "Rendering run {wildcards.run}"
    group: "merger"
    input:
        "results/simulate/mergers/{run}/quality.csv",
        **TELESCOPE,
    output: "results/render/mergers/{run}.h5",
    params:
        code=code("render"),
        settings={key: value for key, value in CONFIG["render"].items() if not key.startswith(("film", "shapes"))},
    resources: runtime=30, mem_mb=3000
    shell: "galclass render results/simulate/mergers/{wildcards.run} --run {wildcards.run} -o {output} -c results/config.yaml 2>&1 | keep {wildcards.run}"


rule render_film:
    message: "Rendering the film of run {wildcards.run}"
    group: "merger"
    input:
        "results/simulate/mergers/{run}/quality.csv",
        **TELESCOPE,
    output: "results/render/film/{run}.h5",
    params:
        code=code("render"),
        settings={key: value for key, value in CONFIG["render"].items() if not key.startswith(("views", "field", "shapes"))},
    resources: runtime=10, mem_mb=2000
    shell: "galclass render results/simulate/mergers/{wildcards.run} --film --run {wildcards.run} -o {output} -c results/config.yaml 2>&1 | keep {wildcards.run}"


rule render_shapes:
    message: "Rendering the labelled shape models"
    input:
        "results/simulate/shapes/provenance.json",
        **TELESCOPE,
    output: "results/render/shapes.h5",
    params:
        code=code("render"),
        settings={key: value for key, value in CONFIG["render"].items() if not key.startswith(("film", "views"))},
    log: "results/logs/render_shapes.log",
    threads: 2
    resources: runtime=60, mem_mb=4000
    shell: "galclass render results/simulate/shapes --shapes -o {output} -c results/config.yaml 2>&1 | tee {log}"
