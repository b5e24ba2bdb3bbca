rule compile:
    message: "Building the Fortran program {wildcards.program}"
    output: "results/bin/{program}",
    params: code=lambda wildcards: fortran(wildcards.program),
    log: "results/logs/compile/{program}.log",
    benchmark: "results/benchmarks/compile/{program}.tsv"
    shell: "galclass compile {wildcards.program} -o {output} 2>&1 | tee {log}"
