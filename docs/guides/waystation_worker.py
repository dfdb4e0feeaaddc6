"""A worker for Waystation's remote stages. Python 3.9 or later, nothing to install."""
import json, threading, time, urllib.error, urllib.request


class Failed(Exception):
    """The work failed. retryable=False: trying again is of no use."""
    def __init__(self, message, retryable=None):
        super().__init__(message)
        self.retryable = retryable


class Job:
    def __init__(self, worker, claim):
        self.worker, self.claim, self.stop = worker, claim["claim"], threading.Event()
        self.id, self.params, self.attempt = claim["job_id"], claim["params"], claim["attempt"]
        self.idempotency_key = claim["idempotency_key"]

    def progress(self, percent, message=""):
        self.worker.call("progress", claim=self.claim, percent=percent, message=message)

    def log(self, line, level="info"):
        self.worker.call("log", claim=self.claim, lines=[{"line": line, "level": level}])


class Worker:
    def __init__(self, url, pipeline, handler, token=None, name="python", stages=(),
                 lease_seconds=30, wait_seconds=25):
        self.url, self.handler, self.lease_seconds = url, handler, lease_seconds
        self.headers = {"Content-Type": "application/json"}
        self.headers.update({"Authorization": f"Bearer {token}"} if token else {})
        self.wanted = dict(worker=name, pipeline=pipeline, stages=list(stages),
                           lease_seconds=lease_seconds, wait_seconds=wait_seconds)

    def call(self, act, **body):
        for pause in (0.2, 1, 5, None):  # What cannot be reached is asked again: all acts may repeat.
            request = urllib.request.Request(f"{self.url}/api/v1/work/{act}", json.dumps(body).encode(), self.headers)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.loads(answer.read() or b"null")
            except (urllib.error.URLError, OSError) as error:
                if pause is None or getattr(error, "code", 503) not in (429, 503):
                    raise
                time.sleep(pause)

    def keep(self, job, done):
        while not done.wait(self.lease_seconds / 3):  # The lease lasts while we say so.
            state = self.call("heartbeat", claims=[job.claim])["claims"][0]["state"]
            if state != "held":
                job.stop.set()  # A handler that takes long looks at it.

    def work(self, job):
        done = threading.Event()
        threading.Thread(target=self.keep, args=(job, done), daemon=True).start()
        try:
            self.call("complete", claim=job.claim, output=self.handler(job) or {})
        except urllib.error.HTTPError as error:
            print(f"job {job.id}: {error.code} {error.read().decode()}")
        except Exception as error:
            self.call("fail", claim=job.claim, message=str(error) or type(error).__name__,
                      retryable=getattr(error, "retryable", None))
        finally:
            done.set()

    def run(self):
        while True:
            for claim in self.call("claim", **self.wanted)["claims"]:
                self.work(Job(self, claim))
