"""Writes the corpus into a folder and prints what each file tries."""

import argparse
from pathlib import Path

from tests.hostile import Targets, corpus


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    Targets.within(folder).secret.write_text("secret\n" * 100)
    for file in corpus(folder):
        (folder / file.name).write_bytes(file.data)
        print(f"{file.name:44} {file.kind:8} {file.tries}")


if __name__ == "__main__":
    main()
