// The proof that an engine asks for which was started with --secret-file. Messages: secret TEXT, then
// challenge TEXT PORT; the outlet gives the last value of /segue/hello.
"use strict";
const crypto = require("crypto");
const maxApi = require("max-api");

let secret = "";
maxApi.addHandler("secret", (text) => {
	secret = String(text);
});
maxApi.addHandler("challenge", (challenge, replyPort) => {
	const proof = crypto.createHmac("sha256", secret).update(`${challenge} ${replyPort}`).digest("hex");
	maxApi.outlet(`hmac:${proof}`);
});
