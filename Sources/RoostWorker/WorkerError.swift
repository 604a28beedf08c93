/// What can go wrong between a worker and its master.
public enum WorkerError: Error, Equatable {
  /// A variable of the environment makes no sense, so that it isn't known what this process was given.
  case invalidEnvironment(name: String, value: String)
  /// The master couldn't be told, with the error number (errno(3)). It may be gone.
  case notify(errno: Int32)
}
