"""A published model in one file for programs without PyTorch: GGUF for llama.cpp, or ONNX."""
