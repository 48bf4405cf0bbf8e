"""The page: figures, claims and provenance in one self-contained file."""


report: "../report/workflow.rst"


rule report:
    input:
        figures=expand(FIGURE, number=FIGURES, extension=["pdf", "png"]),
        claims=f"{RESULTS}/claims.json",
        duplicates=f"{TABLES}/duplicate_conditions.csv",
        tables=[table for number in FIGURES for table in figure_tables(number)],
        setting=[table for number in FIGURES for table in setting_tables(number)],
    output:
        report(
            f"{RESULTS}/report.html",
            caption="../report/page.rst",
            category="Page",
        ),
    log:
        f"{LOG}/report.log",
    benchmark:
        f"{BENCHMARK}/report.tsv"
    conda:
        ENVIRONMENT
    params:
        config=config,
        figures=FIGURES,
        repository=lambda wildcards: workflow.basedir,
        code=code("report.py", *(f"figures.fig{number}" for number in FIGURES)),
    script:
        "../scripts/report.py"
