// An HTTP client that takes as little of the machine as it can: keep-alive sockets, one request under way on each, and of an answer
// only what says that it is whole. So what is measured is who answers.

import net from "node:net";

// `connections` clients ask for `url` until `count` answers are there. The time of each, in microseconds, and of all.
export async function ask(url, { connections, count }) {
  const { hostname, port, pathname, host } = new URL(url);
  const request = `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const times = [];
  let begun = 0;
  const client = () => new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname).setNoDelay(true).once("error", reject);
    let answer = "", at = 0;
    const next = () => {
      if (begun === count) return socket.end(resolve);
      begun++;
      answer = "";
      at = performance.now();
      socket.write(request);
    };
    socket.once("connect", next);
    socket.setEncoding("latin1").on("data", (chunk) => {
      answer += chunk;
      if (!isWhole(answer)) return;
      if (!answer.startsWith("HTTP/1.1 200 ")) return reject(new Error(`got ${answer.slice(0, 200)}`));
      times.push((performance.now() - at) * 1000);
      next();
    });
    socket.once("close", () => reject(new Error("the connection was closed before all answers were there")));
  });
  const start = performance.now();
  await Promise.all(Array.from({ length: connections }, client));
  return { times, seconds: (performance.now() - start) / 1000 };
}

function isWhole(answer) {
  const head = answer.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(answer.slice(0, head + 2))?.[1];
  if (length !== undefined) return answer.length >= head + 4 + Number(length);
  return answer.endsWith("\r\n0\r\n\r\n");
}
