"use strict"
const http = require("http")
const net = require("net")

// How long a connection that says nothing is waited for: steps of 50 ms. A machine that stands still, as a virtual one does
// that is moved, takes one step at most from clients that stood still with it.
const graceSteps = 10
let isDraining = false

const server = http.createServer((request, response) => {
  silent.delete(request.socket)
  if (isDraining) response.setHeader("Connection", "close")
  response.setHeader("X-Generation", process.env.ROOST_GENERATION ?? "0")
  response.end("hello\n")
})
// By the clock, where the grace is longer than it seems.
server.keepAliveTimeout = 60_000

// Connections that have sent no request yet: those aren't idle for http.Server.
const silent = new Set()
server.on("connection", socket => {
  silent.add(socket)
  socket.on("close", () => silent.delete(socket))
})

server.listen({ fd: Number(process.argv[2]) })
process.on("SIGTERM", () => {
  isDraining = true
  // Only stops accepting. http.Server's own close would end idle connections too, and a request may be on its way.
  net.Server.prototype.close.call(server)
  let steps = 0
  const timer = setInterval(() => {
    steps += 1
    if (steps < graceSteps) return
    server.closeIdleConnections()
    for (const socket of silent) socket.destroy()
  }, 50)
  timer.unref()
})
