"""CLIP: pictures and texts in one space; a small image tower learned against a sentence encoder."""
