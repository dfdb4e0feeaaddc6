"""The admin backend: submits jobs, and watches what becomes of them.

It publishes contracts to the first queue, hears events by a queue of its own, and progress by
Redis. It asks nobody's store.
"""

import argparse
import asyncio
import json
import os
import sys
import uuid

import redis.asyncio
from aio_pika import ExchangeType

from mda import EVENTS, Broker

ENTRY_QUEUE = "raw_images"
# What ends a job, besides that it completes its exit stage.
ENDS = ("failed", "aborted")


class Watch:
    """What is known of the jobs that were submitted."""

    def __init__(self, contracts, as_json):
        self.contracts = {contract["job_id"]: contract for contract in contracts}
        self.as_json = as_json
        self.outcomes = {}
        self.attempts = {}
        self.progress = 0
        self.all_ended = asyncio.Event()

    def hear(self, event):
        contract = self.contracts.get(event["job_id"])
        if contract is None:
            return
        self.show(event)
        kind, stage = event["event"], event["stage"]
        if kind == "completed" and stage != contract["exit_stage"]:
            self.attempts.setdefault(event["job_id"], {})[stage] = event["attempt"]
        elif kind == "completed" or kind in ENDS:
            self.attempts.setdefault(event["job_id"], {})[stage] = event["attempt"]
            self.outcomes[event["job_id"]] = kind
        if len(self.outcomes) == len(self.contracts):
            self.all_ended.set()

    def show(self, event):
        if self.as_json:
            print(json.dumps(event))
            return
        more = event.get("error", {}).get("message", "") or event.get("response", "")
        time = event["timestamp"][11:23]
        print(
            f"{time}  {event['job_id'][-8:]}  {event['stage']:8}  "
            f"{event['event']:9}  attempt {event['attempt']}  {more}"
        )

    def table(self):
        print(f"\n{'job':36}  {'image':8}  detect  classify  predict  outcome")
        for job_id, contract in self.contracts.items():
            attempts = self.attempts.get(job_id, {})
            detect, classify, predict = (
                attempts.get(stage, "-") for stage in ("detect", "classify", "predict")
            )
            outcome = self.outcomes.get(job_id, "not ended")
            image = contract["params"].get("image_id", "-")
            print(f"{job_id:36}  {image:8}  {detect:6}  {classify:8}  {predict:7}  {outcome}")
        completed = list(self.outcomes.values()).count("completed")
        print(
            f"{completed} of {len(self.contracts)} jobs completed (the numbers are attempts); "
            f"{self.progress} progress messages came by Redis"
        )

    def all_completed(self):
        outcomes = self.outcomes.values()
        return len(outcomes) == len(self.contracts) and set(outcomes) <= {"completed"}


async def hear_events(broker, watch):
    """Binds a queue of its own to the exchange on which every event is announced."""
    exchange = await broker.channel.declare_exchange(
        broker.prefix + EVENTS, ExchangeType.FANOUT, durable=True
    )
    queue = await broker.channel.declare_queue(exclusive=True, auto_delete=True)
    await queue.bind(exchange)

    async def heard(message):
        watch.hear(json.loads(message.body))

    await queue.consume(heard, no_ack=True)


async def hear_progress(watch):
    listener = redis.asyncio.from_url(os.environ["REDIS_URL"]).pubsub()
    await listener.psubscribe("job:*:progress")
    async for message in listener.listen():
        if message["type"] == "pmessage":
            job_id = message["channel"].decode().split(":")[1]
            watch.progress += job_id in watch.contracts


def new_contract(number):
    return {
        "job_id": str(uuid.uuid4()),
        "entry_stage": "detect",
        "exit_stage": "predict",
        "retry_count": 0,
        "params": {"image_id": f"img_{number:03}"},
        # Not of the contract: it must come out at the other end.
        "submitted_by": "admin.py",
    }


async def main(arguments):
    if arguments.contracts:
        contracts = [json.loads(line) for line in sys.stdin]
    else:
        contracts = [new_contract(number + 1) for number in range(arguments.jobs)]
    if arguments.ids_to:
        with open(arguments.ids_to, "w") as file:
            file.writelines(f"{contract['job_id']}\n" for contract in contracts)
    watch = Watch(contracts, arguments.json)
    progress = asyncio.ensure_future(hear_progress(watch))
    async with Broker() as broker:
        await hear_events(broker, watch)
        await broker.queue(ENTRY_QUEUE)
        for contract in contracts:
            await broker.publish(ENTRY_QUEUE, contract)
        try:
            await asyncio.wait_for(watch.all_ended.wait(), arguments.timeout)
        except asyncio.TimeoutError:
            print("not every job ended in time", file=sys.stderr)
    progress.cancel()
    if not arguments.json:
        watch.table()
    return 0 if watch.all_completed() else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=12, help="how many to submit")
    parser.add_argument("--contracts", action="store_true", help="submit those of stdin instead")
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait for their ends")
    parser.add_argument("--json", action="store_true", help="print events as JSON, and no table")
    parser.add_argument("--ids-to", metavar="FILE", help="write the jobs' ids there")
    sys.exit(asyncio.run(main(parser.parse_args())))
