// An HTTP server on an inherited listener that shuts down as net/http does.
package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	descriptor, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	file := os.NewFile(uintptr(descriptor), "listener")
	listener, err := net.FileListener(file)
	if err != nil {
		log.Fatal(err)
	}
	file.Close()

	generation := os.Getenv("ROOST_GENERATION")
	server := &http.Server{Handler: http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		response.Header().Set("X-Generation", generation)
		response.Write([]byte("hello\n"))
	})}

	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM)
	go server.Serve(listener)
	<-stopped
	if err := server.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
