// The connection to vpype: says hello, comes back when it is lost, tells how things stand.

const CLOSED = { 4001: "elsewhere", 4002: "busy", 4003: "over", 1008: "refused", 1009: "refused" };
const FIRST_PAUSE = 250, LONGEST_PAUSE = 4000, TRIES = 12;

// A name for this tab, so that vpype knows it again when it is loaded anew.
function tabName() {
  const name = sessionStorage.getItem("tab") ?? crypto.randomUUID();
  sessionStorage.setItem("tab", name);
  return name;
}

export class Wire extends EventTarget {
  #socket = null;
  #tries = 0;

  open(takeOver = false) {
    const address = new URL("socket", location.href);
    address.protocol = "ws:";
    const socket = this.#socket = new WebSocket(address);
    socket.onopen = () => {
      this.#tries = 0;
      this.say({ type: "hello", tab: tabName(), take_over: takeOver });
    };
    socket.onmessage = event => {
      const message = JSON.parse(event.data);
      this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
    };
    socket.onclose = event => this.#closed(event);
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  say(message) {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }

  #closed(event) {
    const why = CLOSED[event.code] ?? (this.#tries < TRIES ? "lost" : "gone");
    // Lost once, however often it does not come back: what was said since stays to be read.
    if (why !== "lost" || !this.#tries) this.dispatchEvent(new CustomEvent(why, { detail: event.reason }));
    if (why !== "lost") return;
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#tries, LONGEST_PAUSE);
    this.#tries += 1;
    setTimeout(() => this.open(), pause);
  }
}
