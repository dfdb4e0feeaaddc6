"""What every service gets: queues, checks, retries, events and progress.

A service subclasses `BaseWorker`, says what it reads, needs and adds, and implements `process`.
This is written from the rules of such a platform alone: it has never heard of Waystation.
"""

import asyncio
import json
import logging
import os
import signal
from datetime import datetime, timezone

import aio_pika
import redis.asyncio

EVENTS = "job_events"
# As long as somebody may want to see how far a job was.
PROGRESS_TTL_SECONDS = 3600

log = logging.getLogger("mda")


class MissingParamError(Exception):
    """A required param is absent or empty."""


class InvalidParamError(Exception):
    """A param holds what the service cannot take."""


class NotFoundError(Exception):
    """Something that a param refers to does not exist."""


class ValidationError(Exception):
    """The job, or what the service made of it, is not as it must be."""


NOT_RETRYABLE = (MissingParamError, InvalidParamError, NotFoundError, ValidationError)


def required(value):
    """The usual validator: the value is there, and is no empty text."""
    if value is None or value == "":
        raise MissingParamError("is absent or empty")
    return True


class Broker:
    """Durable queues by their names, on the default exchange."""

    def __init__(self):
        self.prefix = os.environ.get("QUEUE_PREFIX", "")

    async def __aenter__(self):
        self._connection = await aio_pika.connect_robust(os.environ["AMQP_URL"])
        self.channel = await self._connection.channel(publisher_confirms=True)
        await self.channel.set_qos(prefetch_count=1)
        return self

    async def __aexit__(self, *_):
        await self._connection.close()

    async def queue(self, name):
        arguments = {"x-queue-type": "quorum"}
        return await self.channel.declare_queue(
            self.prefix + name, durable=True, arguments=arguments
        )

    async def publish(self, name, payload):
        """Returns when the broker has it, durably."""
        body = json.dumps(payload).encode()
        message = aio_pika.Message(body, delivery_mode=2, content_type="application/json")
        await self.channel.default_exchange.publish(message, routing_key=self.prefix + name)


class TaskTracker:
    """Tells what happens to one job at one stage."""

    def __init__(self, broker, memory, stage, contract):
        self.broker = broker
        self.memory = memory
        self.stage = stage
        self.job_id = contract["job_id"]
        self.attempt = contract.get("retry_count", 0) + 1

    def event(self, kind, **more):
        now = datetime.now(timezone.utc).isoformat()
        return {
            "event": kind,
            "job_id": self.job_id,
            "stage": self.stage,
            "timestamp": now,
            "attempt": self.attempt,
            **more,
        }

    async def started(self):
        await self.broker.publish(EVENTS, self.event("started"))

    async def completed(self, response):
        await self.broker.publish(EVENTS, self.event("completed", response=response))

    async def failed(self, error, retryable):
        error = {"type": type(error).__name__, "message": str(error), "retryable": retryable}
        await self.broker.publish(EVENTS, self.event("failed", error=error))

    async def progress(self, percent):
        """Live and lossy: whoever listens now, and the last value for whoever comes later."""
        channel = f"job:{self.job_id}:progress"
        value = json.dumps(self.event("progress", progress=percent))
        await self.memory.publish(channel, value)
        await self.memory.set(channel, value, ex=PROGRESS_TTL_SECONDS)


class BaseWorker:
    """A service of one stage."""

    stage_name: str
    input_queue: str
    output_queue: str | None = None
    required_params: dict = {}
    output_params: list = []
    max_retries = 2
    tracker: TaskTracker

    async def process(self, **params) -> dict:
        raise NotImplementedError

    def run(self):
        """Serves until it is told to end. What it works on then returns to its queue."""
        logging.basicConfig(format=f"{self.stage_name}: %(message)s", level=logging.WARNING)
        asyncio.run(self._serve_until_told())

    async def _serve_until_told(self):
        serving = asyncio.ensure_future(self._serve())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, serving.cancel)
        try:
            await serving
        except asyncio.CancelledError:
            pass

    async def _serve(self):
        memory = redis.asyncio.from_url(os.environ["REDIS_URL"])
        async with Broker() as self._broker, memory as self._memory:
            for name in (self.output_queue, EVENTS):
                if name:
                    await self._broker.queue(name)
            queue = await self._broker.queue(self.input_queue)
            async with queue.iterator() as messages:
                async for message in messages:
                    await self._handle(message)

    async def _handle(self, message):
        contract = json.loads(message.body)
        params = contract["params"]
        self.tracker = TaskTracker(self._broker, self._memory, self.stage_name, contract)
        try:
            self._check_params(params)
            await self.tracker.started()
            result = await self.process(**params)
            self._check_output(result)
        except NOT_RETRYABLE as error:
            await self.tracker.failed(error, retryable=False)
        except Exception as error:
            await self._retry(contract, error)
        else:
            await self._forward(contract, result)
        # Whatever follows from it is with the broker by now.
        await message.ack()

    def _check_params(self, params):
        for name, validator in self.required_params.items():
            try:
                valid = validator(params.get(name))
            except MissingParamError as error:
                raise MissingParamError(f"{name} {error}") from error
            if not valid:
                raise InvalidParamError(f"{name} is not valid")

    def _check_output(self, result):
        if not isinstance(result, dict) or set(result) != set(self.output_params):
            raise ValidationError(f"{self.stage_name} returned {result}, not {self.output_params}")

    async def _retry(self, contract, error):
        if contract["retry_count"] >= self.max_retries:
            await self.tracker.failed(error, retryable=True)
            return
        log.warning("job %s is tried again: %s", contract["job_id"], error)
        again = {**contract, "retry_count": contract["retry_count"] + 1}
        await self._broker.publish(self.input_queue, again)

    async def _forward(self, contract, result):
        contract["params"].update(result)
        contract["retry_count"] = 0
        await self.tracker.completed(result)
        if self.output_queue and contract.get("exit_stage") != self.stage_name:
            await self._broker.publish(self.output_queue, contract)
