"""Semantic search: texts become a published, versioned index of passages, found by meaning."""
