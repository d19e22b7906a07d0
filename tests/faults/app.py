"""What a server of the app does to the engine and the store: it looks in again and again.

``python -m tests.faults.app`` works on ``FEATHERWEIGHT_HOME`` and starts engines with quick stages.
Prints the engine's status whenever that changes.
"""

import sys
import time

from optimizer.engine import client
from optimizer.store import Store

client.COMMAND = (sys.executable, "-m", "tests.faults.engine")


def main():
    store, last = Store.open(), None
    while True:
        status = client.ensure_engine(store).status
        store.list_runs(states=("queued", "running"))
        if status != last:
            print(status, flush=True)
        last = status
        time.sleep(0.05)


if __name__ == "__main__":
    main()
