"""Raw data and stimulus sets."""


rule dataset:
    output:
        DATASET,
    log:
        log("dataset"),
    benchmark:
        benchmark("dataset")
    conda:
        ENVIRONMENT
    threads: lambda wildcards: DESIGN.job("dataset", wildcards).threads
    resources:
        mem_mb=memory("dataset"),
        runtime=minutes("dataset"),
    params:
        entry=value("dataset", "entry"),
        code=lambda wildcards: code("dataset.py", *readers(wildcards)),
    script:
        "../scripts/dataset.py"


rule identity_stimuli:
    input:
        dataset=DATASET,
    output:
        PATHS.stimuli.replace("{slug}", "id"),
    log:
        log("identity_stimuli"),
    benchmark:
        benchmark("identity_stimuli")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("identity_stimuli"),
        runtime=minutes("identity_stimuli"),
    params:
        images=config["stimuli"]["images"],
        seed=config["seed"],
        code=code("identity_stimuli.py"),
    script:
        "../scripts/identity_stimuli.py"


rule condition_stimuli:
    input:
        identity=PATHS.stimuli.replace("{slug}", "id"),
        dataset=DATASET,
    output:
        PATHS.stimuli.replace("{slug}", "{family}-{level}"),
    log:
        log("condition_stimuli"),
    benchmark:
        benchmark("condition_stimuli")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("condition_stimuli"),
        runtime=minutes("condition_stimuli"),
    params:
        seed=config["seed"],
        code=lambda wildcards: code("condition_stimuli.py", families()[wildcards.family].transform),
    script:
        "../scripts/condition_stimuli.py"


rule user_stimuli:
    input:
        identity=PATHS.stimuli.replace("{slug}", "id"),
        sources=files("user_stimuli", "sources"),
    output:
        PATHS.stimuli.replace("{slug}", "{user_slug}"),
    log:
        log("user_stimuli"),
    benchmark:
        benchmark("user_stimuli")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("user_stimuli"),
        runtime=minutes("user_stimuli"),
    params:
        user_condition=value("user_stimuli", "user_condition"),
        code=code("user_stimuli.py", UserSet),
    script:
        "../scripts/user_stimuli.py"
