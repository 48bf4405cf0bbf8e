"""What a finished experiment is checked by: comparison with its reference, chain of provenance."""


# claims, verify and provenance make no file, so that they run whenever they are asked for.
# Seconds of reading files: no cluster job.
localrules:
    claims,
    verify,
    provenance,
    research_object,


rule anchors:
    input:
        checkpoints=files("anchors", "checkpoints"),
        dataset=DATASET,
        stimuli=files("anchors", "stimuli"),
    output:
        scores=ANCHORS.scores,
        accuracy=ANCHORS.accuracy,
        layers=ANCHORS.layers,
    log:
        log("anchors"),
    benchmark:
        benchmark("anchors")
    conda:
        ENVIRONMENT
    threads: lambda wildcards: DESIGN.job("anchors", wildcards).threads
    resources:
        mem_mb=memory("anchors"),
        runtime=minutes("anchors"),
        gpu=config["gpu"],
    params:
        samples=value("anchors", "samples"),
        kept=None,
        positions=config["activations"]["positions"],
        dtype=config["activations"]["dtype"],
        folds=config["alignment"]["folds"],
        identity=value("anchors", "identity"),
        rotated=value("anchors", "rotated"),
        centers=value("anchors", "centers"),
        ridge=config["alignment"]["ridge"],
        draws=config["alignment"]["rotations"],
        seed=config["seed"],
        code=shown_code("scored_block.py", "anchors"),
        response_code=response_code("anchors"),
        metric_code=metric_code("anchors"),
    script:
        "../scripts/scored_block.py"


rule verify:
    input:
        anchors=[path for job in DESIGN.anchors for path in job.outputs[:2]],
        claims=PATHS.claims,
        tables=files("claims_file", "tables"),
        facts=files("claims_file", "facts"),
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
