"""Activations of all networks at one condition and step, and the fold moments made from them."""


rule activations:
    input:
        checkpoints=files("activations", "checkpoints"),
        pretrained=files("activations", "pretrained"),
        dataset=DATASET,
        stimuli=PATHS.stimuli,
    output:
        activations=(
            directory(PATHS.activations)
            if config["keep_activations"]
            else temp(directory(PATHS.activations))
        ),
        accuracy=PATHS.accuracy,
    log:
        log("activations"),
    benchmark:
        benchmark("activations")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("activations"),
        runtime=minutes("activations"),
        gpu=config["gpu"],
    params:
        networks=value("activations", "networks"),
        positions=config["activations"]["positions"],
        dtype=config["activations"]["dtype"],
        code=code("activations.py", Shown),
    script:
        "../scripts/activations.py"


rule moments:
    input:
        activations=PATHS.activations,
    output:
        PATHS.moments,
    log:
        log("moments"),
    benchmark:
        benchmark("moments")
    # Ahead of the next extraction, so that few activation files wait on disk.
    priority: 10
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("moments"),
        runtime=minutes("moments"),
        gpu=config["gpu"],
    params:
        networks=value("moments", "networks"),
        mapped=value("moments", "mapped"),
        folds=config["alignment"]["folds"],
        seed=config["seed"],
        code=code("moments.py"),
    script:
        "../scripts/moments.py"
