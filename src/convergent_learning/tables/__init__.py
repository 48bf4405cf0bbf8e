"""Tables of numbers: their schema, pairs and summaries from scores, facts of the experiment."""
