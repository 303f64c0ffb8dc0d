"""Initialisation of PyTorch's modules and tensors."""
