"""Scans as the stage writes them, made up for tests of what is done with them."""

from optimizer.sensitivity.scan import read_scan


def cell(fall, half=0.001):
    return [{"fall": fall, "low": fall - half, "high": fall + half}]


def layer(name, prune=None, cluster=None, int8=None, weights=100):
    """A layer; ``prune`` and ``cluster`` are level → fall, all falls as shares."""
    return {
        "name": name,
        "type": "Dense",
        "weights": weights,
        "prune": prune and {f"{level:g}": cell(fall) for level, fall in prune.items()},
        "cluster": cluster and {str(count): cell(fall) for count, fall in cluster.items()},
        "int8": None if int8 is None else cell(int8),
    }


def content(*layers, metric="accuracy", value=0.9, scale=1.0):
    return {
        "samples": 200,
        "test_samples": 200,
        "outputs": [
            {
                "name": "out",
                "task": "multiclass",
                "metric": metric,
                "higher_is_better": metric not in ("mae", "mse"),
                "value": value,
                "scale": scale,
            }
        ],
        "layers": list(layers),
    }


def scan(*layers, **facts):
    return read_scan(content(*layers, **facts))
