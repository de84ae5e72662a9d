// The websocket: connects, reads binary messages, says when the connection is lost, tries again.

const SLOWEST_MS = 5000;

// {waited, head, parts} of a binary message; the layout is that of pictures.py.
export function unpack(buffer) {
  const view = new DataView(buffer);
  const length = view.getUint32(4);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  let at = 8 + length;
  const parts = head.parts.map((size) => {
    at += size;
    return new Uint8Array(buffer, at - size, size);
  });
  return { waited: view.getUint32(0), head, parts };
}

export class Link {
  // on: {open(), lost(seconds), text(message), picture(head, parts) -> Promise}
  constructor(on) {
    this.on = on;
    this.wait = 500;
    this.connect();
  }

  connect() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/ws`);
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    socket.onopen = () => {
      this.wait = 500;
      this.on.open();
    };
    socket.onmessage = (event) => this.take(socket, event.data);
    socket.onclose = () => this.lost();
  }

  async take(socket, data) {
    if (typeof data === 'string') {
      this.on.text(JSON.parse(data));
      return;
    }
    const { waited, head, parts } = unpack(data);
    head.age_ms += waited;
    try {
      await this.on.picture(head, parts);
    } finally {
      // Only now is the next picture sent: a slow browser gets the newest, not a queue.
      if (socket.readyState === WebSocket.OPEN) socket.send('{"do":"shown"}');
    }
  }

  async lost() {
    this.on.lost(this.wait / 1000);
    await new Promise((done) => setTimeout(done, this.wait));
    this.wait = Math.min(this.wait * 2, SLOWEST_MS);
    // A node that was started anew asks for its token again.
    const answer = await fetch('/', { cache: 'no-store' }).catch(() => null);
    if (answer && answer.status === 401) location.reload();
    else this.connect();
  }

  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }
}
