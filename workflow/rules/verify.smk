"""What a finished experiment is checked by: comparison with its reference, chain of provenance."""

REFERENCE = f"results/reference/{EXPERIMENT.name}"


# verify and provenance make no file, so that they run whenever they are asked for.
# Seconds of reading files: no cluster job.
localrules:
    verify,
    provenance,
    research_object,


rule verify:
    input:
        claims=f"{RESULTS}/claims.json",
        tables=[table for number in FIGURES for table in figure_tables(number)],
        setting=[table for number in FIGURES for table in setting_tables(number)],
        duplicates=f"{TABLES}/duplicate_conditions.csv",
    log:
        f"{LOG}/verify.log",
    conda:
        ENVIRONMENT
    params:
        reference=REFERENCE,
        config=config,
    script:
        "../scripts/verify.py"


rule provenance:
    input:
        figures=expand(FIGURE, number=FIGURES, extension="pdf"),
        claims=f"{RESULTS}/claims.json",
    log:
        f"{LOG}/provenance.log",
    conda:
        ENVIRONMENT
    script:
        "../scripts/provenance.py"


rule research_object:
    input:
        figures=expand(FIGURE, number=FIGURES, extension=["pdf", "png"]),
        claims=f"{RESULTS}/claims.json",
        report=f"{RESULTS}/report.html",
        tables=[table for number in FIGURES for table in figure_tables(number)],
        setting=[table for number in FIGURES for table in setting_tables(number)],
    output:
        f"{RESULTS}/ro-crate-metadata.json",
    log:
        f"{LOG}/research_object.log",
    benchmark:
        f"{BENCHMARK}/research_object.tsv"
    conda:
        ENVIRONMENT
    params:
        config=config,
        repository=workflow.basedir,
        code=code("research_object.py"),
    script:
        "../scripts/research_object.py"
