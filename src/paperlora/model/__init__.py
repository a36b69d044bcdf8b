"""The local model: loading, the one chat rendering, the bank of adapters, answers and log-likelihoods."""
