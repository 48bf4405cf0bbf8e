"""Activations of all networks at one condition and step, and the fold moments made from them."""


rule activations:
    input:
        checkpoints=checkpoints,
        pretrained=pretrained_descriptions,
        dataset=DATASET,
        stimuli=STIMULI,
    output:
        activations=(
            directory(ACTIVATIONS) if config["keep_activations"] else temp(directory(ACTIVATIONS))
        ),
        accuracy=ACCURACY,
    log:
        f"{LOG}/activations/{{dataset}}/{{slug}}_step{{step}}.log",
    benchmark:
        f"{BENCHMARK}/activations/{{dataset}}/{{slug}}_step{{step}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(120),
        gpu=config["gpu"],
    params:
        plans=lambda wildcards: training_plans(wildcards.dataset, EXPERIMENT.trained),
        pretrained=lambda wildcards: {n.name: n.pretrained for n in pretrained(wildcards)},
        layers=shown_layers,
        positions=config["activations"]["positions"],
        dtype=config["activations"]["dtype"],
        code=code("activations.py"),
    script:
        "../scripts/activations.py"


rule moments:
    input:
        activations=ACTIVATIONS,
    output:
        MOMENTS,
    log:
        f"{LOG}/moments/{{dataset}}/{{slug}}_step{{step}}.log",
    benchmark:
        f"{BENCHMARK}/moments/{{dataset}}/{{slug}}_step{{step}}.tsv"
    # Ahead of the next extraction, so that few activation files wait on disk.
    priority: 10
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(120),
        gpu=config["gpu"],
    params:
        networks=shown_networks,
        mapped=mapped_networks,
        folds=config["alignment"]["folds"],
        seed=EXPERIMENT.seed,
        code=code("moments.py"),
    script:
        "../scripts/moments.py"
