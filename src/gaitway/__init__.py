"""Gaitway: gait recognition from silhouettes and skeletons."""
