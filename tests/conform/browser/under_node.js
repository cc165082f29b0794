// SPDX-License-Identifier: BSD-3-Clause
// under_node.js FOLDER URL VERSION CA: the story with the MQTT.js of FOLDER/node_modules.
"use strict";
const fs = require("fs");
const path = require("path");
const story = require("./story.js");

const [folder, url, version, ca] = process.argv.slice(2);
const mqtt = require(path.join(folder, "node_modules", "mqtt"));

story(mqtt, url, Number(version), { ca: [fs.readFileSync(ca)] }).then(
  (words) => { console.log(words); process.exit(0); },
  (error) => { console.error(String(error.stack || error)); process.exit(1); });
