"use strict"
const http = require("http")

const server = http.createServer((request, response) => {
  response.setHeader("X-Generation", process.env.ROOST_GENERATION ?? "0")
  response.end("hello\n")
})

server.listen({ fd: Number(process.argv[2]) })
process.on("SIGTERM", () => server.close())
