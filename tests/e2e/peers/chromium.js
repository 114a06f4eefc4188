// A browser of today, which is started once: it asks the server of this page for one job after the other, and posts
// what it has seen. The server answers when it has a job; there is no polling.

async function work() {
  for (;;) {
    const {url, scenario} = await (await fetch('job')).json();
    const seen = await new Promise((report) => {
      const socket = new WebSocket(url);
      socket.binaryType = 'arraybuffer';
      play(scenario, socket, true, report);
    });
    await fetch('seen', {method: 'POST', body: JSON.stringify(seen)});
  }
}

work();
