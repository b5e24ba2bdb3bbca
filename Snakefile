# galclass: from a Fortran merger to a verified candidate. `snakemake --cores all --configfile config/tiny.yaml`
from pathlib import Path

from galclass import pipeline, plan

configfile: str(Path(workflow.basedir) / "config" / "config.yaml")

shell.prefix(pipeline.shell_prefix())
# RUNS are screened, LEARNT are what the classifier learns from; each is name of the run -> row of the table of mergers.
CONFIG, RUNS, LEARNT, MODELS = pipeline.prepare(config, workflow.overwrite_configfiles)
ROWS = RUNS | LEARNT
# The survey of `validate_mergers` has settings and runs of its own.
VALIDATION, VALIDATED = pipeline.validation(CONFIG)
BASE = pipeline.nearby(Path(workflow.basedir))


def code(stage):
    """Digest of the code of a stage: when it changes, the stage runs again; comments do not change it."""
    return pipeline.code_digest(stage, BASE)


def fortran(program):
    """The same for a Fortran program."""
    return pipeline.fortran_digest(program, BASE)


# Jobs that a killed driver left in the queue must not write beside ours.
TIDY = str(BASE / "workflow/profiles/slurm/tidy.sh")

onstart:
    pipeline.write_settings(CONFIG, VALIDATION)
    shell("sh {TIDY}")
onsuccess: shell("sh {TIDY}")
onerror: shell("sh {TIDY}")


wildcard_constraints:
    run="[A-Za-z0-9_-]+",
    program="merger|shape",
    classes="[a-z]+(-[a-z]+)+",
    variant="raw|clean",


rule all:
    default_target: True
    input:
        "results/report/index.html",


rule thesis:
    input:
        "results/report/thesis.html",


include: "workflow/rules/compile.smk"
include: "workflow/rules/initial.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/render.smk"
include: "workflow/rules/label.smk"
include: "workflow/rules/clean.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/classify.smk"
include: "workflow/rules/reference.smk"
include: "workflow/rules/verify.smk"
include: "workflow/rules/visibility.smk"
include: "workflow/rules/screen.smk"
include: "workflow/rules/validate.smk"
include: "workflow/rules/report.smk"
