"""Alignment scores from fold moments: one job a block and metric, or one for each two groups of networks."""


rule scores:
    input:
        moments=block_moments,
        transfer=transfer_moments,
    output:
        SCORES,
    log:
        f"{LOG}/scores/{{dataset}}_{{block}}_{{metric}}{{tile}}.log",
    benchmark:
        f"{BENCHMARK}/scores/{{dataset}}_{{block}}_{{metric}}{{tile}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(120),
    params:
        between=networks_between,
        centers=centers,
        ridge=config["alignment"]["ridge"],
        code=lambda wildcards: code("scores.py", *metric_functions(wildcards.metric)),
    script:
        "../scripts/scores.py"


rule rotated_scores:
    input:
        moments=block_moments,
    output:
        ROTATED,
    log:
        f"{LOG}/scores/{{dataset}}_{{block}}_{{metric}}_rotated{{tile}}.log",
    benchmark:
        f"{BENCHMARK}/scores/{{dataset}}_{{block}}_{{metric}}_rotated{{tile}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(240),
    params:
        between=networks_between,
        draws=config["alignment"]["rotations"],
        seed=EXPERIMENT.seed,
        code=lambda wildcards: code("rotated_scores.py", *metric_functions(wildcards.metric)),
    script:
        "../scripts/rotated_scores.py"
