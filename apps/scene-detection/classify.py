"""Classifies the objects of a scene by their shape: the stage `classify` as a Python program.

stdin: the contract, one line of JSON. stdout, last line: the params to add. The object table is a
blob in the folder BLOBS, and so is the class table, under a key of its own stage run. Rules and
formulas are those of src/classify.rs and src/object.rs.
"""

import collections
import json
import math
import os
import sys
import tempfile
import urllib.parse

POINT_AREA_MAX = 25.0
POINT_ELONGATION_MAX = 2.0
STREAK_ELONGATION_MIN = 3.0
ROUND_ELONGATION_MAX = 1.5
DISC_FILL_MIN = 0.85
RING_FILL_MAX = 0.6
PIXEL_VARIANCE = 1.0 / 12.0


def shape(o):
    """Elongation and fill, by the central second moments of the pixels."""
    n = o["area"]
    mxx = (n * o["sum_xx"] - o["sum_x"] ** 2) / (n * n) + PIXEL_VARIANCE
    myy = (n * o["sum_yy"] - o["sum_y"] ** 2) / (n * n) + PIXEL_VARIANCE
    mxy = (n * o["sum_xy"] - o["sum_x"] * o["sum_y"]) / (n * n)
    middle = (mxx + myy) / 2
    spread = math.sqrt(((mxx - myy) / 2) ** 2 + mxy**2)
    long, short = middle + spread, middle - spread
    return math.sqrt(long / short), n / (4 * math.pi * math.sqrt(long * short))


def classify(o):
    """The first rule that holds."""
    elongation, fill = shape(o)
    is_round = elongation <= ROUND_ELONGATION_MAX
    if o["area"] <= POINT_AREA_MAX and elongation <= POINT_ELONGATION_MAX:
        return "point"
    if elongation >= STREAK_ELONGATION_MIN:
        return "streak"
    if is_round and fill >= DISC_FILL_MIN:
        return "disc"
    if is_round and fill <= RING_FILL_MAX:
        return "ring"
    return "other"


def blob_path(key):
    """Refuses keys that lead out of the folder: anybody may write a contract."""
    parts = key.split("/")
    if not all(parts) or {".", ".."} & set(parts) or "\\" in key or "\0" in key:
        sys.exit(f"`{key}` is no key of a blob")
    return os.path.join(os.environ["BLOBS"], *parts)


def write_blob(key, value):
    """Writes a blob whole or not at all; a repeated attempt replaces its own."""
    path = blob_path(key)
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        size = file.write(json.dumps(value, separators=(",", ":")).encode())
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    return {"$blob": key, "bytes": size}


def main():
    contract = json.load(sys.stdin)
    job_id, path = contract["job_id"], blob_path(contract["params"]["object_table"]["$blob"])
    try:
        with open(path) as file:
            table = json.load(file)
    except OSError as error:
        sys.exit(f"blob {path}: {error.strerror}")
    classes = [{"id": o["id"], "class": classify(o)} for o in table["objects"]]
    run = urllib.parse.quote(job_id, safe=""), contract.get("visit", 1)
    key = "jobs/{}/classify/{}/classes.json".format(*run)
    blob = write_blob(key, {"image_id": table["image_id"], "classes": classes})
    counts = collections.Counter(one["class"] for one in classes)
    added = {"classification_run_id": "cls_" + job_id, "class_table": blob, "counts": counts}
    print(json.dumps(added))


if __name__ == "__main__":
    main()
