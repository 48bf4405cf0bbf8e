"""Responses of the networks of a tile at all samples of a block, and their fold moments."""


rule moments:
    input:
        checkpoints=files("moments", "checkpoints"),
        pretrained=files("moments", "pretrained"),
        dataset=DATASET,
        stimuli=files("moments", "stimuli"),
    output:
        moments=directory(PATHS.moments),
        accuracy=PATHS.accuracy,
    log:
        log("moments"),
    benchmark:
        benchmark("moments")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("moments"),
        runtime=minutes("moments"),
        gpu=config["gpu"],
    params:
        samples=value("moments", "samples"),
        kept=value("moments", "kept"),
        positions=config["activations"]["positions"],
        dtype=config["activations"]["dtype"],
        folds=config["alignment"]["folds"],
        seed=config["seed"],
        code=code("moments.py", Shown, ShownSample),
    script:
        "../scripts/moments.py"
