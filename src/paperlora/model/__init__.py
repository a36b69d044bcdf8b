"""The local model: loading, the one chat rendering, the bank of adapters, answers and log-likelihoods.

Importing it, before torch is loaded, has OpenMP's idle threads sleep instead of spin. Where another process wants a core
too, spinning threads keep the one they wait for from running: a training step on two shared cores took 86 s spinning and
9 s sleeping. On idle cores the difference is within noise.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
