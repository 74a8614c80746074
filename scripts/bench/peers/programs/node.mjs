// Node: JSON and createHmac, the rules of scripts/bench/loops.py: node node.mjs EVENTS.ndjson COUNT BATCH
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

const KEY = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const TYPES = new Set(["page_view", "click", "purchase", "search", "login"]);
const EMAIL = /[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}/g;
const PHONE = /\+?\d[\d ().-]{7,}\d/g;
const token = (text) => createHmac("sha256", KEY).update(text).digest("hex").slice(0, 32);

function work(line) {
  const event = JSON.parse(line);
  for (const name of ["event_id", "timestamp", "user_id", "session_id", "ip"])
    if (typeof event[name] !== "string") throw new Error(name);
  const { device, location, properties } = event;
  if (!TYPES.has(event.event_type) || !(location.latitude >= -90 && location.latitude <= 90)) throw new Error("range");
  for (const name of ["event_id", "user_id", "session_id"]) event[name] = token(event[name]);
  if (event.email !== undefined) event.email = token(event.email);
  location.latitude = Math.round(location.latitude * 100) / 100;
  location.longitude = Math.round(location.longitude * 100) / 100;
  delete location.accuracy;
  delete device.device_model;
  delete properties.referrer;
  event.ip = event.ip.slice(0, event.ip.lastIndexOf(".")) + ".0";
  device.os_version = device.os_version.split(".", 1)[0];
  if (properties.note !== undefined) {
    let note = properties.note;
    if (note.includes("@")) note = note.replace(EMAIL, "<EMAIL>");
    properties.note = note.replace(PHONE, "<PHONE>");
  }
  return [line, JSON.stringify(event)];
}

const lines = readFileSync(process.argv[2], "utf8").split("\n").slice(0, Number(process.argv[3]));
if (lines.at(-1) === "") lines.pop();
const run = () => lines.forEach((line) => work(line));
run();
const rates = [];
for (let round = 0; round < 3; round++) {
  const before = process.cpuUsage();
  run();
  const spent = process.cpuUsage(before);
  rates.push((lines.length / (spent.user + spent.system)) * 1e6);
}
rates.sort((a, b) => a - b);
console.log(JSON.stringify({ events_per_core_second: rates[1], rounds: rates, differs: [] }));
