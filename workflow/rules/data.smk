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
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        source=lambda wildcards: EXPERIMENT.dataset_source(wildcards.dataset),
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
        mem_mb=1000,
        runtime=10,
    params:
        images=config["stimuli"]["images"],
        seed=EXPERIMENT.seed,
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
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        seed=EXPERIMENT.seed,
    script:
        "../scripts/condition_stimuli.py"
