// Takes for segue.takes, in Node for Max: unlike udpsend, its socket receives the answers of segue watch.
// Argument: the port of segue watch. Messages: order ..., all ..., and the verbs of /segue/takes/.
"use strict";
const dgram = require("dgram");
const maxApi = require("max-api");
const osc = require("./osc.js");

const port = Number(process.argv[2]) || 9610;
const socket = dgram.createSocket("udp4");
let id = 0;

function send(address, values) {
	id = (id % 1000000) + 1;
	socket.send(osc.encode(address, [id, ...values]), port, "127.0.0.1");
}

socket.on("message", (data) => {
	const { address, values } = osc.decode(data);
	maxApi.outlet(address.replace("/segue/", ""), ...values);
});
socket.on("error", (fault) => maxApi.post(`segue watch at port ${port}: ${fault.message}`));

maxApi.addHandler(maxApi.MESSAGE_TYPES.ALL, (handled, name, ...values) => {
	if (handled || name === "bang") {
		return;
	}
	if (name === "order") {
		send("/segue/take", values);
	} else if (name === "all") {
		send("/segue/takes/list", values);
	} else {
		send(`/segue/takes/${name}`, values);
	}
});
