rule reference:
    message: "Making the picture of the reference galaxy"
    input:
        pipeline.reference_inputs(CONFIG["reference"]),
        **TELESCOPE,
    output: "results/reference/reference.json",
    params:
        code=code("reference"),
        settings=CONFIG["reference"],
        pixels=CONFIG["render"]["pixels"],
        depth=CONFIG["render"]["depth_dex"],
        seed=CONFIG["render"]["seed"],
        telescope=CONFIG["render"]["telescope"]["preset"],
    log: "results/logs/reference.log",
    resources: runtime=10, mem_mb=2000
    shell: "galclass reference -o results/reference -c results/config.yaml 2>&1 | tee {log}"
