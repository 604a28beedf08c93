"use strict"
const http = require("http")
const net = require("net")

// How long a connection that says nothing is waited for: steps of 50 ms. A machine that stands still, as a virtual one does
// that is moved, takes one step at most from clients that stood still with it.
const graceSteps = 10
let isDraining = false

const server = http.createServer((request, response) => {
  if (isDraining) response.setHeader("Connection", "close")
  response.setHeader("X-Generation", process.env.ROOST_GENERATION ?? "0")
  response.end("hello\n")
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
    clearInterval(timer)
    server.closeIdleConnections()
  }, 50)
  timer.unref()
})
