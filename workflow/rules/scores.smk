"""Alignment scores from fold moments: one job for each block, or for each tile of its pairs."""


rule scores:
    input:
        moments=files("scores", "moments"),
        transfer=files("scores", "transfer"),
    output:
        # Its scores of pairs that are as they were are taken over.
        update(PATHS.scores),
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
        samples=value("scores", "samples"),
        identity=value("scores", "identity"),
        rotated=value("scores", "rotated"),
        centers=value("scores", "centers"),
        pairs=value("scores", "pairs"),
        ridge=config["alignment"]["ridge"],
        draws=config["alignment"]["rotations"],
        seed=config["seed"],
        code=code("scores.py"),
        metric_code=metric_code,
    script:
        "../scripts/scores.py"
