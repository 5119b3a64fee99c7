"""Pictures of what a run did: sample grids, point clouds, animations, latent walks and curves. No torch."""
