// OSC messages of whole numbers, numbers and text: what Segue's protocol has.
"use strict";

function padded(text) {
	const bytes = Buffer.from(String(text), "utf8");
	return Buffer.concat([bytes, Buffer.alloc(4 - (bytes.length % 4))]);
}

function encode(address, values) {
	let types = ",";
	const parts = values.map((value) => {
		if (typeof value !== "number") {
			types += "s";
			return padded(value);
		}
		const bytes = Buffer.alloc(4);
		if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
			types += "i";
			bytes.writeInt32BE(value);
		} else {
			types += "f";
			bytes.writeFloatBE(value);
		}
		return bytes;
	});
	return Buffer.concat([padded(address), padded(types), ...parts]);
}

function decode(data) {
	let at = 0;
	const text = () => {
		const end = data.indexOf(0, at);
		const found = data.toString("utf8", at, end);
		at = end + 4 - (end % 4);
		return found;
	};
	const address = text();
	const values = [...text().slice(1)].map((type) => {
		if (type === "s") {
			return text();
		}
		at += 4;
		return type === "i" ? data.readInt32BE(at - 4) : data.readFloatBE(at - 4);
	});
	return { address, values };
}

module.exports = { encode, decode };
