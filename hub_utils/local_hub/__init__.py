"""The embedded Hub: a small server that speaks the Hugging Face Hub protocol."""
