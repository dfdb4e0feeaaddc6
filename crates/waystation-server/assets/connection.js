// Follows a topic: over a WebSocket, by server-sent events where none is let through, and by asking
// every few seconds where nothing stays open. A page that nobody sees follows nothing, and goes on
// from its cursor.

const WAIT_MIN_MS = 500;
const WAIT_MAX_MS = 15_000;
const POLL_MS = 5_000;
/** After so many connections in a row that bring nothing, the next way is tried. */
const FAILURES_MAX = 2;

export class Connection {
  #topic;
  #onMessage;
  #onState;
  #cursor = "";
  #ways = [openSocket, openEvents, openPoll];
  #failures = 0;
  #wait = WAIT_MIN_MS;
  #close = null;
  #timer = 0;

  /** `onMessage` is given each message; `onState` one of `live`, `paused`, `waiting`, `polling`. */
  constructor(topic, onMessage, onState) {
    this.#topic = topic;
    this.#onMessage = onMessage;
    this.#onState = onState;
    document.addEventListener("visibilitychange", () => this.#look());
    // A page that is kept for the way back must not hold its connection.
    addEventListener("pagehide", () => this.#pause());
    addEventListener("pageshow", () => this.#look());
    this.#look();
  }

  #look() {
    if (document.hidden) this.#pause();
    else if (!this.#close && !this.#timer) this.#open();
  }

  #pause() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#close?.();
    this.#close = null;
    this.#onState("paused");
  }

  #open() {
    this.#timer = 0;
    const query = `${this.#topic}&cursor=${encodeURIComponent(this.#cursor)}`;
    let isNew = true;
    const heard = (message) => {
      if (isNew) {
        isNew = false;
        this.#failures = 0;
        this.#wait = WAIT_MIN_MS;
      }
      this.#cursor = message.cursor ?? this.#cursor;
      this.#onState(message.type === "poll" ? "polling" : "live");
      this.#onMessage(message);
    };
    const ended = () => {
      if (this.#close !== close) return;
      this.#close = null;
      if (isNew) this.#fail();
      this.#onState("waiting");
      this.#timer = setTimeout(() => this.#open(), this.#wait * (0.5 + Math.random()));
      this.#wait = Math.min(this.#wait * 2, WAIT_MAX_MS);
    };
    const close = this.#ways[0](query, heard, ended);
    this.#close = close;
  }

  #fail() {
    this.#failures += 1;
    if (this.#failures < FAILURES_MAX || this.#ways.length === 1) return;
    this.#ways.shift();
    this.#failures = 0;
    this.#wait = WAIT_MIN_MS;
  }
}

function openSocket(query, heard, ended) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/api/v1/live?${query}`);
  socket.onmessage = (event) => heard(JSON.parse(event.data));
  socket.onclose = ended;
  return () => {
    socket.onclose = null;
    socket.onmessage = null;
    socket.close();
  };
}

function openEvents(query, heard, ended) {
  const source = new EventSource(`/api/v1/live/sse?${query}`);
  const end = () => {
    source.close();
    ended();
  };
  source.onmessage = (event) => heard(JSON.parse(event.data));
  // It would connect again by itself, but not by the same rules.
  source.onerror = end;
  source.addEventListener("gone", end);
  return () => source.close();
}

function openPoll(_query, heard) {
  const tell = () => heard({ type: "poll" });
  const timer = setInterval(tell, POLL_MS);
  queueMicrotask(tell);
  return () => clearInterval(timer);
}
