// SPDX-License-Identifier: BSD-3-Clause
// What MQTT.js does with a broker: the same under Node and in a page. Resolves to a sentence.
"use strict";

const SIZES = [0, 1, 127, 16384, 65536, 200000];
const WAIT_MS = 15000;

function within(promise, what) {
  const late = new Promise((_, no) => setTimeout(() => no(new Error(`${what}: too late`)), WAIT_MS));
  return Promise.race([promise, late]);
}

// A client that has connected. What it hears waits in `heard`, or goes to who waits for it.
async function connected(mqtt, url, options) {
  const client = mqtt.connect(url, { reconnectPeriod: 0, connectTimeout: WAIT_MS, ...options });
  client.heard = [];
  client.on("message", (topic, payload, packet) => {
    client.heard.push({ topic, payload, retain: packet.retain });
    client.wake?.();
  });
  await within(new Promise((yes, no) => {
    client.on("connect", yes);
    client.on("error", no);
    client.on("close", () => no(new Error("closed")));
  }), "connect");
  return client;
}

async function next(client) {
  if (client.heard.length === 0) {
    await within(new Promise((yes) => { client.wake = yes; }), "a message");
  }
  return client.heard.shift();
}

function same(what, got, wanted) {
  if (got !== wanted) throw new Error(`${what}: ${got} instead of ${wanted}`);
}

async function messages(sub, pub, topic) {
  let fill = 0;
  for (const qos of [0, 1, 2]) {
    for (const size of SIZES) {
      const payload = new Uint8Array(size).fill(++fill);
      await within(pub.publishAsync(topic, globalThis.Buffer ? Buffer.from(payload) : payload,
        { qos }), "publish");
      const got = (await next(sub)).payload;
      same("length", got.length, size);
      same("bytes", got.every((b) => b === fill), true);
    }
  }
  return fill;
}

async function story(mqtt, url, version, more) {
  const options = { ...more, protocolVersion: version, clean: true };
  const name = `js/${Math.random().toString(16).slice(2)}`;
  const sub = await connected(mqtt, url, options);
  const pub = await connected(mqtt, url, {
    ...options, will: { topic: `${name}/will`, payload: "gone", qos: 1, retain: false } });
  await within(sub.subscribeAsync([`${name}/m`, `${name}/will`], { qos: 2 }), "subscribe");
  const count = await messages(sub, pub, `${name}/m`);

  await within(pub.publishAsync(`${name}/kept`, "kept", { qos: 1, retain: true }), "publish");
  await within(sub.subscribeAsync(`${name}/kept`, { qos: 1 }), "subscribe");
  same("retained", (await next(sub)).retain, true);
  await within(pub.publishAsync(`${name}/kept`, "", { qos: 1, retain: true }), "publish");
  same("live", (await next(sub)).payload.length, 0);

  pub.end(true); // without DISCONNECT
  same("the will", (await next(sub)).topic, `${name}/will`);
  await within(sub.endAsync(), "end");
  return `${count} messages, retained, will`;
}

if (typeof module !== "undefined") module.exports = story;
