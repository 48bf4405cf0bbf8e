"""Training: a rule for each job, since the checkpoints' step numbers depend on what it trains."""

for dataset in EXPERIMENT.datasets:
    for rank, networks in enumerate(EXPERIMENT.trainings()):

        rule:
            name:
                f"train_{dataset}_{networks[0].name}"
            input:
                dataset=DATASET.format(dataset=dataset),
            output:
                training_products(dataset, networks),
            log:
                f"{LOG}/train/{dataset}/{networks[0].name}.log",
            benchmark:
                f"{BENCHMARK}/train/{dataset}/{networks[0].name}.tsv"
            # Those named first in the config start first: name the costly ones first.
            priority: len(EXPERIMENT.trainings()) - rank
            # A job near its time limit saves its state and exits; the next attempt goes on.
            retries: 3
            conda:
                ENVIRONMENT
            threads: config["training"]["threads"] * len(networks)
            resources:
                mem_mb=growing(3000 * len(networks)),
                runtime=growing(720),
                gpu=config["gpu"],
            params:
                plans=training_plans(dataset, networks),
                folders=[str(network_folder(dataset, network)) for network in networks],
                state=f"{RESULTS}/training_state/{dataset}",
                code=code("train.py"),
            script:
                "../scripts/train.py"


rule pretrained:
    input:
        lambda wildcards: PRETRAINED[wildcards.network].files,
    output:
        f"{NETWORK}/pretrained.json",
    log:
        f"{LOG}/pretrained/{{dataset}}/{{network}}.log",
    benchmark:
        f"{BENCHMARK}/pretrained/{{dataset}}/{{network}}.tsv"
    wildcard_constraints:
        network=any_of(PRETRAINED),
    # Before any training: a wrong name stops the run in its first seconds.
    priority: 1000
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        pretrained=lambda wildcards: PRETRAINED[wildcards.network],
        layers=lambda wildcards: EXPERIMENT.layers(wildcards.dataset),
        image_size=lambda wildcards: EXPERIMENT.dataset_info(wildcards.dataset).side,
        code=code("pretrained.py"),
    script:
        "../scripts/pretrained.py"
