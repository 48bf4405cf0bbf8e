"""The page: figures, claims and provenance in one self-contained file."""


report: "../report/workflow.rst"


rule report:
    input:
        **DESIGN.job("report").inputs,
    output:
        report(
            PATHS.report,
            caption="../report/page.rst",
            category="Page",
        ),
    log:
        log("report"),
    benchmark:
        benchmark("report")
    conda:
        ENVIRONMENT
    params:
        config=config,
        figures=FIGURES,
        looks=LOOKS,
        code=page_code(),
    script:
        "../scripts/report.py"
