# `snakemake screen`: fails after the results are there when some snapshots could not be used.

rule screen:
    localrule: True
    input: "results/screen/snapshots.parquet", "results/screen/index.html",
    shell: "galclass screen --check results/screen"


rule screen_snapshots:
    message: "Screening other people's snapshots"
    input:
        network="results/train/network/card.json",
        reference="results/reference/reference.json",
        template=BASE / "workflow/report/screen.html.j2",
        snapshots=pipeline.screened(CONFIG),
        **TELESCOPE,
    output:
        table="results/screen/snapshots.parquet",
        page="results/screen/index.html",
    params:
        code=code("screen"),
        page=code("report"),
        settings={name: CONFIG[name] for name in ("screen", "render", "label", "classify", "verify")},
    threads: workflow.cores
    log: "results/logs/screen.log",
    # Snapshots that cannot be used must not cost the results of the others: `screen` tells of them.
    shell:
        "galclass screen --network results/train/network --reference results/reference -o results/screen"
        " -c results/config.yaml 2>&1 | tee {log} || test -s {output.page}"
