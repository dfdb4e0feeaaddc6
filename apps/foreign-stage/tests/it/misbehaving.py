"""A service in the middle that does what the job wishes: for tests of what follows from it."""

import asyncio
from collections import Counter

from mda import BaseWorker, NotFoundError, required

calls = Counter()


class MisbehavingWorker(BaseWorker):
    stage_name = "classify"
    input_queue = "detections"
    output_queue = "classifications"
    required_params = {"image_id": required}
    output_params = ["classification_run_id"]

    async def process(self, wish="", **extras):
        calls[self.tracker.job_id] += 1
        call = calls[self.tracker.job_id]
        if wish == "wrong key":
            return {"wrong_key": 1}
        if wish == "not found":
            raise NotFoundError("no such image")
        if wish == "raise always" or (wish == "raise twice" and call < 3):
            raise ConnectionError(f"call {call}")
        if wish == "slow":
            await asyncio.sleep(0.05)
        response = {"classification_run_id": "cls_789"}
        if wish == "tell twice":
            await self.tracker.started()
            await self.tracker.completed(response)
        return response


if __name__ == "__main__":
    MisbehavingWorker().run()
