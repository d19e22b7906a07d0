"""What ``app.py`` gives to the server: the refusal to start unsafely, middleware, routes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from streamlit import config, runtime

from optimizer.access.addresses import refuse_unless_guarded
from optimizer.errors import FeatherweightError
from optimizer.logs.redaction import hide_in_logs
from serving.gate import HEALTH, Gate
from serving.health import respond
from serving.policy import Policy, freeze, frozen
from serving.returning import ReturnAfterSignIn

if TYPE_CHECKING:
    from starlette.middleware import Middleware
    from starlette.routing import BaseRoute


def open_door(script: str) -> None:
    """Decide who gets in, for as long as this process lives; end it when nobody could say.

    Args:
        script: ``app.py``, beside which ``.streamlit/`` is looked for, also by other servers
            than Streamlit's own.
    """
    if config._main_script_path is None:
        config._main_script_path = script
    try:
        policy = freeze()
        refuse_unless_guarded(
            config.get_option("server.address"), guarded=policy.guarded, opened=policy.allow_open
        )
    except FeatherweightError as error:
        print(f"\n{error}\n", file=sys.stderr, flush=True)
        raise SystemExit(2) from None
    hide_in_logs(policy.secrets)
    if policy.allow_open and not policy.guarded:
        print("FEATHERWEIGHT_ALLOW_OPEN: whoever reaches this server may do everything.")


def middleware() -> list[Middleware]:
    """What every request passes, the outermost first."""
    from starlette.middleware import Middleware as Layer

    policy = frozen() or Policy()
    return [Layer(Gate, policy=policy), Layer(ReturnAfterSignIn)]


def routes() -> list[BaseRoute]:
    """Addresses beside Streamlit's own."""
    from starlette.routing import Route

    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return [Route(f"/{base}{HEALTH}" if base else HEALTH, respond, methods=["GET", "HEAD"])]


def is_bypassed() -> bool:
    """Whether a real server draws pages that did not come through :func:`open_door`.

    So it is when Streamlit is started with another file than ``app.py``.
    """
    # Streamlit's own tests of pages put a stand-in, of which isinstance() is true, in its place.
    real = runtime.exists() and type(runtime.get_instance()) is runtime.Runtime
    return real and frozen() is None
