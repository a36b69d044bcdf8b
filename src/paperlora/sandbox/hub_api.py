"""A stand-in for the Hugging Face hub: repositories of datasets that are made, filled in commits, and read back.

It speaks what huggingface_hub sends for `create_repo` and `create_commit` (small files inside the commit, large ones by
the LFS batch protocol; set HF_HUB_DISABLE_XET=1) and what `hf_hub_download` and `load_dataset` ask for.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

TOKEN = "hf_sandbox"
"""The only token that may write."""
USER = "sandbox"
LARGE = (".parquet",)
"""Files that go by LFS, as the hub decides for them."""


@dataclass
class Repository:
    """One dataset repository: its newest files and all its commits."""

    name: str
    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    """Ids, oldest first."""

    @property
    def head(self) -> str:
        """Id of the newest commit; forty zeros where there is none."""
        return self.commits[-1] if self.commits else "0" * 40


class HubStandIn:
    """The repositories and the routes to them."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self._blobs: dict[str, bytes] = {}

    def app(self) -> Starlette:
        """The routes, to be mounted somewhere; HF_ENDPOINT is where that is."""
        repo = "/api/datasets/{user}/{name}"
        return Starlette(routes=[
            Route("/api/repos/create", self._create, methods=["POST"]),
            Route("/api/whoami-v2", self._whoami),
            Route("/api/validate-yaml", self._validate, methods=["POST"]),
            Route(f"{repo}/preupload/{{revision}}", self._preupload, methods=["POST"]),
            Route(f"{repo}/commit/{{revision}}", self._commit, methods=["POST"]),
            Route("/datasets/{user}/{name}.git/info/lfs/objects/batch", self._batch, methods=["POST"]),
            Route("/lfs/{oid}", self._upload, methods=["PUT"]),
            Route(repo, self._info), Route(f"{repo}/revision/{{revision}}", self._info),
            Route(f"{repo}/tree/{{revision}}", self._tree), Route(f"{repo}/tree/{{revision}}/{{path:path}}", self._tree),
            Route(f"{repo}/paths-info/{{revision}}", self._paths, methods=["POST"]),
            Route("/datasets/{user}/{name}/resolve/{revision}/{path:path}", self._resolve),
        ])  # fmt: skip

    async def _create(self, request: Request) -> Response:
        if not _may_write(request):
            return _refused()
        said = await request.json()
        name = f"{said.get('organization') or USER}/{said['name']}"
        if name in self.repositories:
            return JSONResponse({"error": "You already created this dataset repo", "url": f"{_base(request)}/datasets/{name}"}, 409)
        self.repositories[name] = Repository(name, bool(said.get("private")) or said.get("visibility") == "private")
        return JSONResponse({"url": f"{_base(request)}/datasets/{name}", "name": name, "id": hashlib.sha1(name.encode()).hexdigest()})

    async def _whoami(self, request: Request) -> Response:
        return JSONResponse({"type": "user", "name": USER}) if _may_write(request) else _refused()

    async def _validate(self, request: Request) -> Response:
        import yaml  # type: ignore[import-untyped]

        content = (await request.json())["content"]
        head = content.split("---")[1] if content.startswith("---") else ""
        try:
            yaml.safe_load(head)
        except yaml.YAMLError as error:
            return JSONResponse({"errors": [{"message": str(error)}], "warnings": []}, 400)
        return JSONResponse({"errors": [], "warnings": []})

    async def _preupload(self, request: Request) -> Response:
        repository = self._repository(request)
        if repository is None:
            return _missing()
        if not _may_write(request):
            return _refused()
        files = (await request.json())["files"]
        modes = [{"path": f["path"], "uploadMode": "lfs" if f["path"].endswith(LARGE) else "regular", "shouldIgnore": False} for f in files]
        return JSONResponse({"files": modes})

    async def _batch(self, request: Request) -> Response:
        if not _may_write(request):
            return _refused()
        wanted = (await request.json())["objects"]
        objects = [
            {**one, "actions": {"upload": {"href": f"{_base(request)}/lfs/{one['oid']}"}}} if one["oid"] not in self._blobs else one
            for one in wanted
        ]
        return JSONResponse({"transfer": "basic", "objects": objects})

    async def _upload(self, request: Request) -> Response:
        body = await request.body()
        if hashlib.sha256(body).hexdigest() != request.path_params["oid"]:
            return PlainTextResponse("the body has another hash", 422)
        self._blobs[request.path_params["oid"]] = body
        return PlainTextResponse("")

    async def _commit(self, request: Request) -> Response:
        repository = self._repository(request)
        if repository is None:
            return _missing()
        if not _may_write(request):
            return _refused()
        body = await request.body()
        changes = [json.loads(line) for line in body.splitlines() if line.strip()]
        files = dict(repository.files)
        for change in changes:
            problem = self._apply(files, change["key"], change["value"])
            if problem:
                return JSONResponse({"error": problem}, 400)
        repository.files = files
        repository.commits.append(hashlib.sha1(body + repository.head.encode()).hexdigest())
        url = f"{_base(request)}/datasets/{repository.name}/commit/{repository.head}"
        return JSONResponse({"commitUrl": url, "commitOid": repository.head, "success": True})

    def _apply(self, files: dict[str, bytes], key: str, value: dict[str, Any]) -> str:
        if key == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            if value["oid"] not in self._blobs:
                return f"{value['path']} was not uploaded"
            files[value["path"]] = self._blobs[value["oid"]]
        elif key == "deletedFile":
            files.pop(value["path"], None)
        return ""

    async def _info(self, request: Request) -> Response:
        repository = self._repository(request)
        if repository is None or (repository.private and not _may_write(request)):
            return _missing()
        return JSONResponse({
            "id": repository.name, "sha": repository.head, "private": repository.private, "tags": [], "downloads": 0, "likes": 0,
            "lastModified": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "siblings": [{"rfilename": path} for path in sorted(repository.files)],
        })  # fmt: skip

    async def _tree(self, request: Request) -> Response:
        repository = self._repository(request)
        if repository is None or (repository.private and not _may_write(request)):
            return _missing()
        below = request.path_params.get("path", "").strip("/")
        inside = [path for path in repository.files if not below or path.startswith(f"{below}/")]
        if request.query_params.get("recursive", "").lower() != "true":
            depth = below.count("/") + 1 if below else 0
            inside = sorted({"/".join(path.split("/")[: depth + 1]) for path in inside})
        return JSONResponse([self._entry(repository, path) for path in inside])

    async def _paths(self, request: Request) -> Response:
        repository = self._repository(request)
        if repository is None:
            return _missing()
        form = await request.form()
        return JSONResponse([self._entry(repository, str(path)) for path in form.getlist("paths") if self._known(repository, str(path))])

    def _known(self, repository: Repository, path: str) -> bool:
        return path in repository.files or any(name.startswith(f"{path}/") for name in repository.files)

    def _entry(self, repository: Repository, path: str) -> dict[str, Any]:
        if path not in repository.files:
            return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
        body = repository.files[path]
        return {"type": "file", "path": path, "oid": hashlib.sha1(body).hexdigest(), "size": len(body)}

    async def _resolve(self, request: Request) -> Response:
        repository = self._repository(request)
        if repository is None or (repository.private and not _may_write(request)):
            return _missing()
        body = repository.files.get(request.path_params["path"])
        if body is None:
            return PlainTextResponse("Entry not found", 404, headers={"X-Error-Code": "EntryNotFound"})
        tag = hashlib.sha256(body).hexdigest()
        return Response(body, headers={"ETag": f'"{tag}"', "X-Repo-Commit": repository.head}, media_type="application/octet-stream")

    def _repository(self, request: Request) -> Repository | None:
        return self.repositories.get(f"{request.path_params['user']}/{request.path_params['name']}")


def _may_write(request: Request) -> bool:
    return request.headers.get("authorization") == f"Bearer {TOKEN}"


def _refused() -> Response:
    return JSONResponse({"error": "Invalid credentials in Authorization header"}, 401)


def _missing() -> Response:
    return JSONResponse({"error": "Repository not found"}, 404, headers={"X-Error-Code": "RepoNotFound"})


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"
