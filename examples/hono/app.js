// A Hono app as its documentation has them. It knows nothing of Glovebox.

import { Hono } from "hono";
import { upgradeWebSocket } from "hono/cloudflare-workers";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { jwt } from "hono/jwt";
import { stream, streamText } from "hono/streaming";

const app = new Hono();

app.use("/api/*", cors({ origin: "https://app.example", allowMethods: ["GET", "POST"], credentials: true }));

app.use("/members/*", (c, next) => jwt({ secret: c.env.SECRET, alg: "HS256" })(c, next));

app.get("/members/me", (c) => c.json({ you: c.get("jwtPayload").sub }));
app.get("/", (c) => c.text("Hello Hono!"));
app.get("/api/greet/:name", (c) => c.json({ hello: c.req.param("name"), from: c.env.NAME, loud: c.req.query("loud") === "yes" }));
app.post("/api/notes", async (c) => c.json({ kept: await c.req.json() }, 201));
app.post("/upload", async (c) => {
  const { file, note } = await c.req.parseBody();
  return c.json({ name: file.name, type: file.type, text: await file.text(), note });
});
app.post("/form", async (c) => c.json(await c.req.parseBody()));

app.get("/count", (c) => streamText(c, async (out) => {
  for (let i = 1; i <= 3; i++) await out.writeln(String(i));
}));
app.post("/echo", (c) => stream(c, (out) => out.pipe(c.req.raw.body)));

app.get("/chat/:name", upgradeWebSocket((c) => ({
  onMessage(event, socket) { socket.send(`${c.req.param("name")}: ${event.data}`); },
  onClose(event) { console.log("closed", event.code, event.reason); },
})));

app.get("/visit", (c) => {
  const visits = Number(getCookie(c, "visits") ?? 0) + 1;
  setCookie(c, "visits", String(visits), { path: "/", httpOnly: true });
  setCookie(c, "seen", "yes");
  return c.text(`visit ${visits}`);
});
app.get("/forget", (c) => {
  deleteCookie(c, "visits");
  return c.redirect("/");
});

app.get("/teapot", () => { throw new HTTPException(418, { message: "short and stout" }); });
app.get("/broken", () => { throw new Error("a bug"); });
app.notFound((c) => c.json({ missing: c.req.path }, 404));
app.onError((error, c) => error instanceof HTTPException ? error.getResponse() : c.text(`failed: ${error.message}`, 500));

export default app;
