"""Responses of networks, their fold moments and the scores of these.

A job is for a block of samples, or for each tile of its pairs. One makes moments and another scores
them, or one does both if moments are not kept. A third scores permuted stimuli, where scores are
judged against many permutations.
"""

if config["keep_moments"]:

    rule moments:
        input:
            checkpoints=files("moments", "checkpoints"),
            pretrained=files("moments", "pretrained"),
            dataset=DATASET,
            stimuli=files("moments", "stimuli"),
        output:
            moments=directory(PATHS.moments),
            accuracy=PATHS.accuracy,
            layers=PATHS.layers,
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
            code=shown_code("moments.py", "moments"),
            response_code=response_code("moments"),
        script:
            "../scripts/moments.py"

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
        threads: lambda wildcards: DESIGN.job("scores", wildcards).threads
        resources:
            mem_mb=memory("scores"),
            runtime=minutes("scores"),
            gpu=config["gpu"],
        params:
            samples=value("scores", "samples"),
            identity=value("scores", "identity"),
            rotated=value("scores", "rotated"),
            centers=value("scores", "centers"),
            ridge=config["alignment"]["ridge"],
            draws=config["alignment"]["rotations"],
            seed=config["seed"],
            code=code("scores.py"),
            metric_code=metric_code("scores"),
        script:
            "../scripts/scores.py"

else:

    rule scored_block:
        input:
            checkpoints=files("scored_block", "checkpoints"),
            pretrained=files("scored_block", "pretrained"),
            dataset=DATASET,
            stimuli=files("scored_block", "stimuli"),
        output:
            # Its scores of pairs that are as they were are taken over.
            scores=update(PATHS.scores),
            accuracy=PATHS.accuracy,
            layers=PATHS.layers,
        log:
            log("scored_block"),
        benchmark:
            benchmark("scored_block")
        conda:
            ENVIRONMENT
        threads: lambda wildcards: DESIGN.job("scored_block", wildcards).threads
        resources:
            mem_mb=memory("scored_block"),
            runtime=minutes("scored_block"),
            gpu=config["gpu"],
        params:
            samples=value("scored_block", "samples"),
            kept=value("scored_block", "kept"),
            positions=config["activations"]["positions"],
            dtype=config["activations"]["dtype"],
            folds=config["alignment"]["folds"],
            identity=value("scored_block", "identity"),
            rotated=value("scored_block", "rotated"),
            centers=value("scored_block", "centers"),
            ridge=config["alignment"]["ridge"],
            draws=config["alignment"]["rotations"],
            seed=config["seed"],
            code=shown_code("scored_block.py", "scored_block"),
            response_code=response_code("scored_block"),
            metric_code=metric_code("scored_block"),
        script:
            "../scripts/scored_block.py"


if DESIGN.experiment.calibrated:

    rule shuffled_scores:
        input:
            checkpoints=files("shuffled_scores", "checkpoints"),
            pretrained=files("shuffled_scores", "pretrained"),
            dataset=DATASET,
            stimuli=files("shuffled_scores", "stimuli"),
        output:
            PATHS.shuffled_scores,
        log:
            log("shuffled_scores"),
        benchmark:
            benchmark("shuffled_scores")
        conda:
            ENVIRONMENT
        threads: lambda wildcards: DESIGN.job("shuffled_scores", wildcards).threads
        resources:
            mem_mb=memory("shuffled_scores"),
            runtime=minutes("shuffled_scores"),
            gpu=config["gpu"],
        params:
            sample=value("shuffled_scores", "sample"),
            positions=config["activations"]["positions"],
            dtype=config["activations"]["dtype"],
            folds=config["alignment"]["folds"],
            crossed=value("shuffled_scores", "crossed"),
            ridge=config["alignment"]["ridge"],
            draws=config["alignment"]["shuffles"],
            seed=config["seed"],
            code=shown_code("shuffled_scores.py", "shuffled_scores"),
            response_code=response_code("shuffled_scores"),
            metric_code=metric_code("shuffled_scores"),
        script:
            "../scripts/shuffled_scores.py"
