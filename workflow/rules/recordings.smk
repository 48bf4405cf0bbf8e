"""Biological recordings: their files, their images, and how networks score with them."""


rule recording:
    input:
        files("recording", "sources"),
    output:
        RECORDING,
    log:
        log("recording"),
    benchmark:
        benchmark("recording")
    # Before anything is trained, so that a mistake in the data shows at once.
    priority: 1000
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory("recording"),
        runtime=minutes("recording"),
    params:
        entry=value("recording", "entry"),
        code=code("recording.py"),
    script:
        "../scripts/recording.py"


rule recording_stimuli:
    input:
        recording=RECORDING,
    output:
        PATHS.recorded_stimuli,
    log:
        log("recording_stimuli"),
    benchmark:
        benchmark("recording_stimuli")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory("recording_stimuli"),
        runtime=minutes("recording_stimuli"),
    params:
        side=value("recording_stimuli", "side"),
        code=code("recording_stimuli.py"),
    script:
        "../scripts/recording_stimuli.py"


rule recording_scores:
    input:
        checkpoints=files("recording_scores", "checkpoints"),
        pretrained=files("recording_scores", "pretrained"),
        dataset=DATASET,
        stimuli=files("recording_scores", "stimuli"),
        recording=RECORDING,
    output:
        **{kind: PATHS.recorded.replace("{kind}", kind) for kind in SCORED},
    log:
        log("recording_scores"),
    benchmark:
        benchmark("recording_scores")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory("recording_scores"),
        runtime=minutes("recording_scores"),
        gpu=config["gpu"],
    params:
        samples=value("recording_scores", "samples"),
        asked=value("recording_scores", "asked"),
        positions=config["activations"]["positions"],
        dtype=config["activations"]["dtype"],
        code=mapping_code,
    script:
        "../scripts/recording_scores.py"


if config["recordings"]:

    rule recordings_table:
        input:
            files("recordings_table", "files"),
        output:
            report(
                PATHS.table("recordings"),
                caption="../report/tables.rst",
                category="Tables",
                subcategory="Experiment",
            ),
        log:
            log("recordings_table"),
        benchmark:
            benchmark("recordings_table")
        conda:
            ENVIRONMENT
        params:
            code=code("recordings_table.py"),
        script:
            "../scripts/recordings_table.py"
