"""The stand-in for reading a pyskl pickle: bench_pickle.py FOLDER

Python's own pickle.load of the file, which is what pyskl does with it. Prints seconds and bytes as a JSON line.
"""

import json
import os
import pickle
import sys
import time


def main(folder):
    path = os.path.join(folder, "ntu.pkl")
    start = time.perf_counter()
    with open(path, "rb") as file:
        data = pickle.load(file)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "bytes": os.path.getsize(path), "clips": len(data["annotations"])}))


if __name__ == "__main__":
    main(sys.argv[1])
