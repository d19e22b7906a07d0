"""``GET /healthz``: whether this server and its store work, for a monitor; nothing of anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optimizer.operations.health import health
from optimizer.store.base import home_folder

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def respond(request: Request) -> Response:
    """The answer, as :class:`optimizer.operations.health.Health`: 200 when it serves, else 503."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse

    found = await run_in_threadpool(health, home_folder(None))
    return JSONResponse(
        found.as_dict(),
        status_code=200 if found.serving else 503,
        headers={"Cache-Control": "no-store"},
    )
