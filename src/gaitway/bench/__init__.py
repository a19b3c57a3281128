"""Measuring: what a model costs, and how fast training, embedding, evaluation and loading are on this machine."""
