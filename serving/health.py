"""``GET /healthz``: whether this server and its store work, for a monitor; nothing of anybody."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import optimizer
from optimizer.engine.client import engine_status
from optimizer.errors import FeatherweightError
from optimizer.store import Store

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def health() -> dict[str, Any]:
    """How the app is.

    Returns:
        ``status``: ``ok`` or ``failing``; ``version``; ``store``: ``readable`` or ``unreadable``;
        ``engine``: ``ready``, ``warming``, ``starting``, ``stopping``, ``off``, ``absent`` (none
        runs; the first page that is opened starts one), or ``unknown``.
    """
    found = {"version": optimizer.__version__, "store": "readable", "engine": "unknown"}
    try:
        store = _store()
        store.list_runs(limit=1)
        found["engine"] = engine_status(store).status
    except (FeatherweightError, OSError):
        found["store"] = "unreadable"
    return {"status": "ok" if found["store"] == "readable" else "failing", **found}


@cache
def _store() -> Store:
    opened = Store.open()
    opened.refuse_changes()
    return opened


async def respond(request: Request) -> Response:
    """The answer: 200 when all is well, else 503."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse

    found = await run_in_threadpool(health)
    return JSONResponse(
        found,
        status_code=200 if found["status"] == "ok" else 503,
        headers={"Cache-Control": "no-store"},
    )
