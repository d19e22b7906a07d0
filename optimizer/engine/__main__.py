"""``python -m optimizer.engine``: the engine as a process of its own; ``… stop`` ends it.

Stage processes import this module by name, so it imports nothing at its top.
"""


def stop() -> int:
    """End the engine of the store in ``FEATHERWEIGHT_HOME``."""
    from optimizer.engine.client import stop_engine
    from optimizer.store import Store

    print("The engine has ended." if stop_engine(Store.open()) else "No engine was running.")
    return 0


def main() -> int:
    """Serve the store in ``FEATHERWEIGHT_HOME`` until SIGTERM or SIGINT."""
    import asyncio
    import logging
    import signal

    from optimizer.logs.events import event
    from optimizer.logs.setup import start_logging
    from optimizer.store.base import home_folder

    start_logging(home_folder(None), "engine")  # before what may fail to import

    from optimizer.engine.service import Engine, EngineRunningError
    from optimizer.errors import FeatherweightError, InputError
    from optimizer.store import Store

    log = logging.getLogger("optimizer.engine")
    stopping = False

    async def serve() -> None:
        def stop() -> None:
            nonlocal stopping
            stopping = True

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        store = Store.open()
        await Engine(store).serve(finished=lambda: stopping)

    try:
        asyncio.run(serve())
    except EngineRunningError as error:
        event(log, "engine_steps_back", text=str(error))
    except FeatherweightError as error:
        detail = getattr(error, "log", "")
        text = f"{error} {detail}".strip()
        cause = None if isinstance(error, InputError) else error
        event(log, "engine_failed", level=logging.ERROR, text=text, error=cause)
        return 1
    return 0


if __name__ == "__main__":
    import sys

    raise SystemExit(stop() if sys.argv[1:] == ["stop"] else main())
