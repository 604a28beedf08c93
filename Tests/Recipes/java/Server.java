import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.channels.ServerSocketChannel;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** A server on the listener that it has as its standard input, one request for each connection. SIGTERM lets it drain. */
public class Server {
  public static void main(String[] arguments) throws Exception {
    var listener = (ServerSocketChannel) System.inheritedChannel();
    var threads = Executors.newFixedThreadPool(8);
    var main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> drain(listener, main, threads)));
    try {
      while (true) {
        var client = listener.accept().socket();
        threads.execute(() -> answer(client));
      }
    } catch (IOException closed) {
      // The shutdown hook waits for the rest.
    }
  }

  private static void answer(Socket client) {
    try (client) {
      var reader = new BufferedReader(new InputStreamReader(client.getInputStream()));
      while (!reader.readLine().isEmpty()) {}
      var generation = System.getenv("ROOST_GENERATION");
      client.getOutputStream().write(("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\nX-Generation: "
          + generation + "\r\n\r\nhello\n").getBytes());
    } catch (IOException | NullPointerException gone) {
      // The client has gone.
    }
  }

  private static void drain(ServerSocketChannel listener, Thread main, ExecutorService threads) {
    try {
      // Only this process stops accepting: the listener itself is the master's.
      listener.close();
      main.join();
      threads.shutdown();
      threads.awaitTermination(10, TimeUnit.SECONDS);
      // Not by the signal's number and 128, as Java would.
      Runtime.getRuntime().halt(0);
    } catch (IOException | InterruptedException error) {
      error.printStackTrace();
    }
  }
}
