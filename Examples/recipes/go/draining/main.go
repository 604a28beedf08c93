// An HTTP server on an inherited listener that gives each kept-alive connection one more response before it ends it.
package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// How long a connection that says nothing is waited for: steps of 5 ms. A machine that stands still, as a virtual one does
// that is moved, takes one step at most from clients that stood still with it.
const graceSteps = 100

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
	var isDraining atomic.Bool
	var connections atomic.Int64
	server := &http.Server{
		Handler: http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			if isDraining.Load() {
				response.Header().Set("Connection", "close")
			}
			response.Header().Set("X-Generation", generation)
			response.Write([]byte("hello\n"))
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				connections.Add(1)
			case http.StateClosed, http.StateHijacked:
				connections.Add(-1)
			}
		},
	}

	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM)
	served := make(chan struct{})
	go func() {
		server.Serve(listener)
		close(served)
	}()
	<-stopped
	isDraining.Store(true)
	listener.Close()
	<-served
	for step := 0; connections.Load() > 0 && step < graceSteps; step++ {
		time.Sleep(5 * time.Millisecond)
	}
	if err := server.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
