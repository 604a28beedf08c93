"use strict"
const http = require("http")
const net = require("net")

// How long a connection that says nothing is waited for, in milliseconds.
const grace = 500
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
  setTimeout(() => server.closeIdleConnections(), grace).unref()
})
