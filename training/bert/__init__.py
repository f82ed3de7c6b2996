"""Fine-tune a BERT-like encoder into a text classifier and publish it."""
