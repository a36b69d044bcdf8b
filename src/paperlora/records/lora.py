"""Recipe → Adapter."""

from __future__ import annotations

from pydantic import Field

from paperlora.records.base import Record, Reject, digest


class Recipe(Record):
    """How to train one adapter. Every knob says what it does."""

    name: str = "quick"
    rank: int = Field(default=16, ge=1)
    """r: the adapter's capacity; seldom why 200 rows fail."""
    alpha: float = 32.0
    """ΔW = alpha / rank · B A."""
    rslora: bool = False
    """Scale by alpha / √rank in place of alpha / rank (2312.03732): high ranks then learn as fast as low ones."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """AdamW's; about ten times that of full fine-tuning, nearly independent of the rank."""
    batch_size: int = Field(default=8, ge=1)
    """Rows a step."""
    epochs: float = Field(default=8.0, gt=0)
    """Passes over the rows; the dose."""
    max_steps: int | None = Field(default=None, ge=1)
    """Upper bound on the steps, whatever the epochs say."""
    episodes: int = Field(default=0, ge=0)
    """Where set, the dose is episodes × episode_steps steps, whatever the epochs say; 0: epochs decide."""
    episode_steps: int = Field(default=1000, ge=1)
    """Steps of one episode; a point of the dose curve is saved at the end of each."""
    warmup_share: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps in which the learning rate rises linearly; afterwards it falls by a cosine."""
    final_lr_share: float = Field(default=0.1, ge=0, le=1)
    """Learning rate at the last step as a share of the highest."""
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradient norm of one adapter above which it is scaled down."""
    checkpoints: int = Field(default=4, ge=1)
    """Saved points of the dose curve, log-spaced over the steps, the last step always among them."""
    flat_gain: float = Field(default=0.0, ge=0)
    """End early when the mean margin on dev probes rose by less than this (nats a token) between two points of the dose
    curve; 0: never."""
    max_drift: float | None = Field(default=None, gt=0)
    """End early when the loss on unrelated answers rose by more than this (nats a token) over the base's; None: never."""
    keep: float = Field(default=0.0, ge=0)
    """Weight of staying as the base is: KL(base ‖ adapter), nats a token, on the tokens of every row's question; answers
    that the base gave itself are then held to its guesses, too, in place of being learnt by heart. 0: neither."""
    max_tokens: int = Field(default=512, ge=16)
    """A longer row is rejected, never cut."""
    seed: int = 0
    """Decides initial weights and the order of the rows."""

    @property
    def dose(self) -> str:
        """Digest of all that decides how much is trained: equal for recipes that differ by name or seed alone."""
        return digest(self.model_dump(mode="json", exclude={"name", "seed"}))[:16]


class BaseModelId(Record):
    """Which frozen weights and which chat template: two models with equal ids answer alike."""

    name: str
    """As the user named it: hub id, folder or GGUF file."""
    weights_hash: str
    template_hash: str
    dtype: str


class Checkpoint(Record):
    """One point of the dose curve."""

    step: int
    epoch: float
    folder: str
    """Path inside the adapter's folder; a plain peft adapter."""
    loss: float
    """Mean training loss (nats a token) over the steps since the previous checkpoint."""
    delta_norm: float
    """‖ΔW‖_F over all adapted layers."""
    dev_margin: dict[str, float] = Field(default_factory=dict)
    """Idea id → mean log-likelihood of the answer minus that of the best distractor (nats a token), on dev probes."""
    drift: float | None = None
    """Loss on unrelated answers minus the base's (nats a token); above 0 it forgets."""


class Adapter(Record):
    """One trained LoRA."""

    id: str
    """``<dataset id>/<first 12 hex digits of the digest of dataset, recipe and base>``."""
    dataset: str
    """MicroDataset id."""
    dataset_hash: str
    """Hash in the dataset's manifest, as verified before training."""
    paper: str
    topic: str
    recipe: Recipe
    base: BaseModelId
    folder: str = "adapter"
    """Path of the final peft adapter inside its folder."""
    checkpoints: tuple[Checkpoint, ...]
    steps: int
    rows: int
    tokens: int
    """Tokens seen in training, prompts included."""
    loss_tokens: int
    """Tokens that carried loss."""
    seconds: float
    """Wall time from its first step to its last, its neighbours' share of each step included."""
    device_seconds: float = 0.0
    """Its own share of that time, by tokens: what it costs."""
    joules: float | None = None
    """Its share of the energy, by tokens; None where the device doesn't tell."""
    peak_bytes: int = 0
    """Most memory while it was trained, of the whole bank."""
    final_loss: float
    delta_norm: float
    """‖ΔW‖_F of the final adapter."""
    relative_delta_norm: float
    """‖ΔW‖_F / ‖W‖_F over the adapted layers."""
    stopped: str = ""
    """Why it ended before its dose; empty where the dose was reached."""
    rejects: tuple[Reject, ...] = ()
