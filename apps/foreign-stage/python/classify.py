"""The service in the middle: its author wrote this, and nothing of the rest."""

import asyncio

from mda import BaseWorker, required


class ClassifyWorker(BaseWorker):
    stage_name = "classify"
    input_queue = "detections"
    output_queue = "classifications"
    required_params = {"image_id": required, "detection_run_id": required}
    output_params = ["classification_run_id", "kind"]

    async def process(self, image_id, detection_run_id, **extras):
        await self.tracker.progress(10)
        await asyncio.sleep(0.01)
        # A model server is away now and then.
        if self.tracker.attempt == 1 and image_id.endswith("5"):
            raise ConnectionError("model server is away")
        await self.tracker.progress(100)
        kind = "ship" if sum(image_id.encode()) % 2 else "plane"
        return {"classification_run_id": f"cls_{detection_run_id}", "kind": kind}


if __name__ == "__main__":
    ClassifyWorker().run()
