"""PaperLoRA: papers in, judged LoRA adapters out."""

__version__ = "0.1.0"
