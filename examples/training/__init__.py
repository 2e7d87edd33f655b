"""What initialization schemes do in training, on real images, told honestly.

Run as ``python -m examples.training`` or ``make training``; docs/training.md says what comes out
and what it means. One file a concept, each reading only those before it: `data`, `schemes`,
`networks`, `training`, `experiment`, `sizes`, `comparisons`, `analysis`, `tables`, `verdicts`,
`report`, `pictures`.
"""
