"""Raw data and stimulus sets."""


rule dataset:
    output:
        DATASET,
    log:
        f"{LOG}/dataset/{{dataset}}.log",
    benchmark:
        f"{BENCHMARK}/dataset/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
    threads: dataset_threads
    resources:
        mem_mb=growing(3000),
        runtime=growing(720),
    params:
        entry=dataset_files,
        code=code("dataset.py"),
    script:
        "../scripts/dataset.py"


rule identity_stimuli:
    input:
        dataset=DATASET,
    output:
        STIMULI.replace("{slug}", "id"),
    log:
        f"{LOG}/stimuli/{{dataset}}/id.log",
    benchmark:
        f"{BENCHMARK}/stimuli/{{dataset}}/id.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=config["stimuli"]["images"],
        seed=EXPERIMENT.seed,
        code=code("identity_stimuli.py"),
    script:
        "../scripts/identity_stimuli.py"


rule condition_stimuli:
    input:
        identity=STIMULI.replace("{slug}", "id"),
        dataset=DATASET,
    output:
        STIMULI.replace("{slug}", "{family}-{level}"),
    log:
        f"{LOG}/stimuli/{{dataset}}/{{family}}-{{level}}.log",
    benchmark:
        f"{BENCHMARK}/stimuli/{{dataset}}/{{family}}-{{level}}.tsv"
    wildcard_constraints:
        family=any_of(families()),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        seed=EXPERIMENT.seed,
        code=lambda wildcards: code(
            "condition_stimuli.py", families()[wildcards.family].transform
        ),
    script:
        "../scripts/condition_stimuli.py"


rule user_stimuli:
    input:
        identity=STIMULI.replace("{slug}", "id"),
        sources=lambda wildcards: EXPERIMENT.user_conditions[wildcards.user_slug][0].sources,
    output:
        STIMULI.replace("{slug}", "{user_slug}"),
    log:
        f"{LOG}/stimuli/{{dataset}}/{{user_slug}}.log",
    benchmark:
        f"{BENCHMARK}/stimuli/{{dataset}}/{{user_slug}}.tsv"
    wildcard_constraints:
        user_slug=any_of(EXPERIMENT.user_conditions),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        user_condition=lambda wildcards: EXPERIMENT.user_conditions[wildcards.user_slug],
        code=code("user_stimuli.py"),
    script:
        "../scripts/user_stimuli.py"
