"""Alignment scores from fold moments: one job for each block and metric, or for each tile of its pairs."""


rule scores:
    input:
        moments=files("scores", "moments"),
        transfer=files("scores", "transfer"),
    output:
        PATHS.scores,
    log:
        log("scores"),
    benchmark:
        benchmark("scores")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("scores"),
        runtime=minutes("scores"),
    params:
        between=value("scores", "between"),
        centers=value("scores", "centers"),
        ridge=config["alignment"]["ridge"],
        code=lambda wildcards: code("scores.py", *metric_functions(wildcards.metric)),
    script:
        "../scripts/scores.py"


rule rotated_scores:
    input:
        moments=files("rotated_scores", "moments"),
    output:
        PATHS.rotated_scores,
    log:
        log("rotated_scores"),
    benchmark:
        benchmark("rotated_scores")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("rotated_scores"),
        runtime=minutes("rotated_scores"),
    params:
        between=value("rotated_scores", "between"),
        draws=config["alignment"]["rotations"],
        seed=config["seed"],
        code=lambda wildcards: code("rotated_scores.py", *metric_functions(wildcards.metric)),
    script:
        "../scripts/rotated_scores.py"
