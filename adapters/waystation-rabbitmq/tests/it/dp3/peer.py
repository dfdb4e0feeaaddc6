"""DP3's own task queues, driven by the tests: one command a process, JSON lines in and out.

Usage: peer.py HOST PORT VHOST USER PASSWORD APP COMMAND [NUMBER]

put N         reads {"task": {...}, "priority": bool, "broadcast": bool}, puts each, and says so
read I        reads worker I's queues, says what came, and acknowledges it, until its input ends
hold I        the same without acknowledging anything
check N       says what check() of DP3's writer and readers gives
declare N     declares what DP3's script declares, with its arguments
"""

import json
import logging
import sys
from functools import partial

import amqpstorm
from dp3.common.config import ModelSpec
from dp3.common.task import DataPointTask, parse_data_point_task, task_context
from dp3.task_processing.task_queue import TaskQueueReader, TaskQueueWriter

KINDS = {"A": "int", "B": "string", "ip4": "ipv4", "ip": "ipv6", "mac": "mac"}


def attributes():
    plain = {"name": "plain", "type": "plain", "data_type": "string"}
    history = {"max_age": "60d", "pre_validity": "0s", "post_validity": "0s"}
    observed = {
        "name": "observed",
        "type": "observations",
        "data_type": "int",
        "confidence": True,
        "history_params": history,
    }
    return {"data1": plain, "load": observed}


def model():
    def entity(name, kind):
        about = {"id": name, "name": name, "id_data_type": kind, "snapshot": True}
        return {"entity": about, "attribs": attributes()}

    return ModelSpec({name: entity(name, kind) for name, kind in KINDS.items()})


def say(**what):
    print(json.dumps(what), flush=True)


class ToStdout(logging.Handler):
    """Tells what DP3 logs of erroneous messages."""

    def emit(self, record):
        say(log=record.getMessage())


def put(app, number, config):
    writer = TaskQueueWriter(app, number, config)
    spec = model()
    for line in sys.stdin:
        order = json.loads(line)
        with task_context(spec):
            task = DataPointTask(**order["task"])
        act = writer.broadcast_task if order.get("broadcast") else writer.put_task
        act(task, priority=order.get("priority", False))
        say(put=task.as_message(), key=task.routing_key(), hash=task.hashed_routing_key())
    writer.disconnect()


def read(app, number, config, acknowledging=True):
    def came(tag, task):
        acknowledged = reader.ack(tag) if acknowledging else None
        say(came=task.as_message(), key=task.routing_key(), acknowledged=acknowledged)

    parse = partial(parse_data_point_task, model_spec=model())
    logging.getLogger("TaskQueueReader").addHandler(ToStdout(logging.ERROR))
    reader = TaskQueueReader(came, parse, app, number, config)
    reader.connect()
    say(check=reader.check())
    reader.start()
    sys.stdin.read()
    reader.stop()
    reader.disconnect()


def check(app, number, config):
    writer = TaskQueueWriter(app, number, config)
    writer.connect()
    answers = [writer.check()]
    for index in range(number):
        reader = TaskQueueReader(say, say, app, index, config)
        reader.connect()
        answers.append(reader.check())
        reader.disconnect()
    writer.disconnect()
    say(check=answers)


def declare(app, number, config):
    connection = amqpstorm.Connection(
        config["host"], config["username"], config["password"],
        port=config["port"], virtual_host=config["virtual_host"],
    )
    channel = connection.channel()
    limits = {"x-max-length": 10000, "x-overflow": "reject-publish"}
    rows = [
        ("main-task-exchange", "", limits),
        ("priority-task-exchange", "-pri", None),
        ("main-snapshot-exchange", "-snapshots", None),
        ("control-exchange", "-control", None),
    ]
    for exchange, ending, arguments in rows:
        exchange = f"{app}-{exchange}"
        channel.exchange.declare(exchange, exchange_type="direct", durable=True)
        for index in range(number):
            queue = f"{app}-worker-{index}{ending}"
            channel.queue.declare(queue, durable=True, arguments=arguments)
            channel.queue.bind(queue, exchange, str(index))
    connection.close()
    say(declared=number)


def main():
    host, port, vhost, user, password, app, command, number = sys.argv[1:]
    config = {
        "host": host,
        "port": int(port),
        "virtual_host": vhost,
        "username": user,
        "password": password,
    }
    commands = {
        "put": put,
        "read": read,
        "hold": partial(read, acknowledging=False),
        "check": check,
        "declare": declare,
    }
    commands[command](app, int(number), config)


if __name__ == "__main__":
    main()
