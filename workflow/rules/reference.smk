rule reference:
    message: "Making the picture of the reference galaxy"
    input:
        pipeline.reference_inputs(CONFIG["reference"]),
        **TELESCOPE,
    output: directory("results/reference"),
    params:
        code=code("reference"),
        settings=CONFIG["reference"],
        pixels=CONFIG["render"]["pixels"],
        depth=CONFIG["render"]["depth_dex"],
        seed=CONFIG["render"]["seed"],
        telescope=CONFIG["render"]["telescope"]["preset"],
    log: "results/logs/reference.log",
    benchmark: "results/benchmarks/reference.tsv"
    shell: "galclass reference -o {output} -c results/config.yaml 2>&1 | tee {log}"
