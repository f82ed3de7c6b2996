"""Latent diffusion in miniature: a text in, a small drawing out, all by stock diffusers classes."""
