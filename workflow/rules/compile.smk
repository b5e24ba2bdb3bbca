rule compile:
    message: "Building the Fortran program {wildcards.program}"
    output: "results/bin/{program}",
    params: code=lambda wildcards: fortran(wildcards.program),
    log: "results/logs/compile/{program}.log",
    resources: runtime=15, mem_mb=2000
    shell: "galclass compile {wildcards.program} -o {output} 2>&1 | tee {log}"
