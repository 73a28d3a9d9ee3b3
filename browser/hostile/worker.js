if (globalThis.onconnect !== undefined) onconnect = (event) => event.ports[0].postMessage(1); else globalThis.postMessage?.(1);
