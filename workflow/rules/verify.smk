"""What a finished experiment is checked by: comparison with its reference, chain of provenance."""


# verify and provenance make no file, so that they run whenever they are asked for.
# Seconds of reading files: no cluster job.
localrules:
    verify,
    provenance,
    research_object,


rule verify:
    input:
        claims=PATHS.claims,
        tables=files("claims", "tables"),
        facts=files("claims", "facts"),
        duplicates=PATHS.table("duplicate_conditions"),
    log:
        log("verify"),
    conda:
        ENVIRONMENT
    params:
        reference=PATHS.reference,
        config=config,
    script:
        "../scripts/verify.py"


rule provenance:
    input:
        figures=expand(PATHS.figure, number=FIGURES, extension="pdf"),
        claims=PATHS.claims,
    log:
        log("provenance"),
    conda:
        ENVIRONMENT
    script:
        "../scripts/provenance.py"


rule research_object:
    input:
        **DESIGN.job("research_object").inputs,
    output:
        PATHS.research_object,
    log:
        log("research_object"),
    benchmark:
        benchmark("research_object")
    conda:
        ENVIRONMENT
    params:
        config=config,
        code=code("research_object.py"),
    script:
        "../scripts/research_object.py"
