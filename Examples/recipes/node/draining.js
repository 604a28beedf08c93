"use strict"
const http = require("http")
const net = require("net")

// How long a connection that says nothing is waited for: steps of 50 ms. A machine that stands still, as a virtual one does
// that is moved, takes one step at most from clients that stood still with it.
const graceSteps = 10
let isDraining = false
// Of each connection: how many requests it has, and for how many steps none of them and no byte more.
const connections = new Map()

const server = http.createServer((request, response) => {
  const connection = connections.get(request.socket)
  connection.requests += 1
  response.on("close", () => {
    connection.requests -= 1
    connection.steps = 0
  })
  if (isDraining) response.setHeader("Connection", "close")
  response.setHeader("X-Generation", process.env.ROOST_GENERATION ?? "0")
  response.end("hello\n")
})
// By the clock, where the grace is longer than it seems.
server.keepAliveTimeout = 60_000
server.on("connection", socket => {
  connections.set(socket, { requests: 0, steps: 0, read: 0 })
  socket.on("close", () => connections.delete(socket))
})

server.listen({ fd: Number(process.argv[2]) })
process.on("SIGTERM", () => {
  isDraining = true
  // Only stops accepting. http.Server's own close would end idle connections too, and a request may be on its way.
  net.Server.prototype.close.call(server)
  setInterval(closeIdleConnections, 50).unref()
})

function closeIdleConnections() {
  for (const [socket, connection] of connections) {
    const isQuiet = connection.requests === 0 && socket.bytesRead === connection.read
    connection.steps = isQuiet ? connection.steps + 1 : 0
    connection.read = socket.bytesRead
    if (connection.steps > graceSteps) socket.destroy()
  }
}
