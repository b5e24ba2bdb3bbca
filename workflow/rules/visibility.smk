rule visibility:
    message: "Looking at run {wildcards.run} from all over the sky"
    group: "screening"
    input:
        "results/simulate/mergers/{run}/quality.csv",
        network="results/train/network/card.json",
        reference="results/reference/reference.json",
        **TELESCOPE,
    output:
        table="results/visibility/{run}.parquet",
        map="results/visibility/{run}.png",
        numbers="results/visibility/{run}.json",
    params:
        code=code("visibility"),
        settings={
            "visibility": CONFIG["visibility"],
            "render": {key: value for key, value in CONFIG["render"].items() if not key.startswith(("film", "shapes", "views"))},
            "classify": CONFIG["classify"]["batch_size"],
        },
    resources: runtime=30, mem_mb=3000
    shell:
        "galclass visibility results/simulate/mergers/{wildcards.run} --network results/train/network --reference results/reference"
        " --run {wildcards.run} -o {output.table} -c results/config.yaml 2>&1 | keep {wildcards.run}"
