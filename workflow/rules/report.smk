"""The page: figures, claims and provenance in one self-contained file."""


rule report:
    input:
        figures=expand(FIGURE, number=FIGURES, extension=["pdf", "png"]),
        claims=f"{RESULTS}/claims.json",
        duplicates=f"{TABLES}/duplicate_conditions.csv",
        tables=[table for number in FIGURES for table in setting_tables(number)],
    output:
        f"{RESULTS}/report.html",
    log:
        f"{LOG}/report.log",
    benchmark:
        f"{BENCHMARK}/report.tsv"
    conda:
        ENVIRONMENT
    params:
        config=config,
        figures=FIGURES,
        repository=workflow.basedir,
    script:
        "../scripts/report.py"
